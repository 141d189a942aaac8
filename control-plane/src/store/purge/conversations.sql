DELETE FROM conversations
WHERE ctid = ANY (ARRAY(SELECT ctid FROM conversations WHERE tenant_id = $1 LIMIT $2))
