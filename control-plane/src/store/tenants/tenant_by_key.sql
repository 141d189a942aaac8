SELECT id FROM tenants WHERE key_hash = $1
