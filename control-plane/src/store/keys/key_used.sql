UPDATE api_keys SET last_use_time = $2 WHERE id = $1 AND (last_use_time IS NULL OR last_use_time < $3)
