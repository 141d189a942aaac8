SELECT m.id, m.email, m.display_name, m.built_in_role, m.role_id, m.create_time, r.permissions
FROM members m
LEFT JOIN roles r ON r.id = m.role_id
WHERE m.email = $1
