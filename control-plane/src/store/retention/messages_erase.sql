UPDATE messages SET phone = NULL, body = NULL WHERE id = ANY ($1)
