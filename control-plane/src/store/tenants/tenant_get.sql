SELECT id, display_name, broadcast_allowed, create_time FROM tenants WHERE id = $1
