SELECT id, display_name, permissions, create_time FROM roles WHERE id = $1
