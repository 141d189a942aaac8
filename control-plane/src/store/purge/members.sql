DELETE FROM members
WHERE ctid = ANY (ARRAY(SELECT ctid FROM members WHERE tenant_id = $1 LIMIT $2))
