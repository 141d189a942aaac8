UPDATE members SET display_name = $2, built_in_role = $3, role_id = $4 WHERE id = $1
