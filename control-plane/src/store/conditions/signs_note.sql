UPDATE phone_numbers SET sign_time = $2 WHERE id = ANY ($1)
