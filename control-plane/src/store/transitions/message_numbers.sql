SELECT id, number_id FROM messages WHERE id = ANY ($1)
