INSERT INTO opt_outs (tenant_id, phone, create_time)
SELECT m.tenant_id, m.phone, $2 FROM messages m WHERE m.id = ANY ($1) AND m.phone IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING tenant_id, phone
