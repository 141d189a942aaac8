SELECT contact_count FROM contact_lists WHERE id = $1 FOR NO KEY UPDATE
