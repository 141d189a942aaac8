SELECT id, phone, fields FROM contacts WHERE list_id = $1 AND id > $2 ORDER BY id LIMIT $3
