UPDATE api_keys SET hint = $2 WHERE id = $1
