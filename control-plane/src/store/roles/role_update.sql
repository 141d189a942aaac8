UPDATE roles SET display_name = $2, permissions = $3 WHERE id = $1
