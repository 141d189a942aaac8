DELETE FROM provider_accounts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM provider_accounts WHERE tenant_id = $1 LIMIT $2))
