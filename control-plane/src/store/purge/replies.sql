DELETE FROM replies
WHERE ctid = ANY (ARRAY(SELECT ctid FROM replies WHERE tenant_id = $1 LIMIT $2))
