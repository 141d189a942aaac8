INSERT INTO roles (id, tenant_id, display_name, permissions, create_time) VALUES ($1, $2, $3, $4, $5)
