UPDATE provider_accounts
SET kek_id = $2, sealed_secrets = $3
WHERE id = $1 AND sealed_secrets = $4
