DELETE FROM routes
WHERE ctid = ANY (ARRAY(SELECT ctid FROM routes WHERE tenant_id = $1 LIMIT $2))
