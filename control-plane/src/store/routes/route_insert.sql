INSERT INTO routes (id, tenant_id, account_id, priority, weight, kinds, when_down, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
