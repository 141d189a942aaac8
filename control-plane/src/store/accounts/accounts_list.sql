SELECT id, tenant_id, display_name, provider, account_sid, api_secret, webhook_key, base_url, webhook_token,
       create_time
FROM provider_accounts
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
