INSERT INTO members (id, tenant_id, email, display_name, built_in_role, role_id, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
