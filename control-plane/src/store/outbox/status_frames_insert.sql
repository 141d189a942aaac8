INSERT INTO status_frames (id, tenant_id, payload)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])
