UPDATE provider_accounts
SET display_name = $2, account_sid = $3, api_secret = $4, webhook_key = $5, base_url = $6
WHERE id = $1
