SELECT id, tenant_id, payload FROM status_frames ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
