SELECT id, display_name, member_id, built_in_role, role_id, scopes, hint, expire_time, last_use_time, create_time
FROM api_keys
WHERE id > $1 AND ($3::uuid IS NULL OR member_id = $3)
ORDER BY id
LIMIT $2
