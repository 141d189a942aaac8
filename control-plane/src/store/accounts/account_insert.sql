INSERT INTO provider_accounts
    (id, tenant_id, display_name, provider, account_sid, api_user, application_id, base_url, create_time, kek_id,
     sealed_secrets, webhook_token_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
