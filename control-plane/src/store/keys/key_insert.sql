INSERT INTO api_keys
    (id, tenant_id, display_name, member_id, built_in_role, role_id, scopes, hint, expire_time, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
