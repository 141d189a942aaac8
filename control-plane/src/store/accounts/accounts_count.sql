SELECT count(*) FROM provider_accounts WHERE tenant_id = $1
