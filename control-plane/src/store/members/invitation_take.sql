DELETE FROM invitations i
USING tenants t
WHERE i.token_hash = $1 AND i.expire_time > $2 AND t.id = i.tenant_id AND t.state = $3
RETURNING i.id, i.email, i.built_in_role, i.role_id, i.expire_time, i.create_time
