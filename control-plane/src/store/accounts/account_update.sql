UPDATE provider_accounts
SET display_name = $2, account_sid = $3, base_url = $4, kek_id = $5, sealed_secrets = $6
WHERE id = $1 AND sealed_secrets = $7
