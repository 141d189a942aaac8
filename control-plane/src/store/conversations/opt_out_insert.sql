INSERT INTO opt_outs (tenant_id, phone, create_time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
