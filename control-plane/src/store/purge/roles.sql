DELETE FROM roles
WHERE ctid = ANY (ARRAY(SELECT ctid FROM roles WHERE tenant_id = $1 LIMIT $2))
