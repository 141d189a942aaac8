DELETE FROM tenant_texts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM tenant_texts WHERE tenant_id = $1 LIMIT $2))
