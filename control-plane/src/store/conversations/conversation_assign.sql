INSERT INTO conversations (tenant_id, phone, number_phone, texter, update_time, begun_by)
VALUES (current_setting('muster.tenant_id')::uuid, $1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, phone, number_phone) DO UPDATE SET texter = excluded.texter, update_time = excluded.update_time
