SELECT id, tenant_id, display_name, provider, account_sid, api_secret, webhook_key, base_url, webhook_token,
       create_time
FROM provider_accounts
WHERE webhook_token = $1
