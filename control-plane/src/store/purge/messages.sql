DELETE FROM messages WHERE id = ANY ($1)
