INSERT INTO conversations AS c (tenant_id, phone, number_phone, update_time)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, phone, number_phone)
DO UPDATE SET update_time = greatest(c.update_time, excluded.update_time), begun_by = NULL
