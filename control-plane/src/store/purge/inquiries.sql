DELETE FROM inquiries WHERE message_id = ANY (ARRAY(SELECT message_id FROM inquiries WHERE tenant_id = $1 LIMIT $2))
