SELECT count(*) FROM api_keys WHERE tenant_id = $1 AND member_id IS NULL
