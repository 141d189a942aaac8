INSERT INTO provider_accounts
    (id, tenant_id, display_name, provider, account_sid, api_secret, webhook_key, base_url, webhook_token,
     create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
