SELECT id, tenant_id, display_name, provider, account_sid, api_user, application_id, base_url, create_time,
       kek_id, sealed_secrets
FROM provider_accounts
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
