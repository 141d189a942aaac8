UPDATE tenants SET key_hash = $2 WHERE id = $1
