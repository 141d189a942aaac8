UPDATE tenants SET purge_look_time = $2 WHERE id = $1
