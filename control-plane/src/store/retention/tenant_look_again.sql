UPDATE tenants SET erase_look_time = $2 WHERE id = $1
