DELETE FROM contact_lists
WHERE ctid = ANY (ARRAY(SELECT ctid FROM contact_lists WHERE tenant_id = $1 LIMIT $2))
