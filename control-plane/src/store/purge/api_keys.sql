DELETE FROM api_keys
WHERE ctid = ANY (ARRAY(SELECT ctid FROM api_keys WHERE tenant_id = $1 LIMIT $2))
