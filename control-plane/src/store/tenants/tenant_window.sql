SELECT open_minute, close_minute FROM tenants WHERE id = $1
