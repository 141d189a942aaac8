UPDATE provider_accounts
SET display_name = $2, account_sid = $3, api_user = $4, application_id = $5, base_url = $6, kek_id = $7,
    sealed_secrets = $8
WHERE id = $1 AND sealed_secrets = $9
