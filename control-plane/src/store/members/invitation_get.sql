SELECT id, email, built_in_role, role_id, expire_time, create_time FROM invitations WHERE id = $1
