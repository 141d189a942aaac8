INSERT INTO invitations (id, tenant_id, email, built_in_role, role_id, token_hash, expire_time, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
