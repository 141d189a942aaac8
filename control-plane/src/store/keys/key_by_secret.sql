SELECT k.id, k.tenant_id, k.member_id, k.scopes, k.last_use_time, t.state,
       -- Of a secret that was rotated, only the time that it has left.
       least(s.expire_time, k.expire_time) AS end_time,
       coalesce(m.built_in_role, k.built_in_role) AS built_in_role,
       r.permissions
FROM api_key_secrets s
JOIN api_keys k ON k.id = s.key_id
JOIN tenants t ON t.id = k.tenant_id
LEFT JOIN members m ON m.id = k.member_id
LEFT JOIN roles r ON r.id = coalesce(m.role_id, k.role_id)
WHERE s.hash = $1
  AND (s.expire_time IS NULL OR s.expire_time > $2)
  AND (k.expire_time IS NULL OR k.expire_time > $2)
