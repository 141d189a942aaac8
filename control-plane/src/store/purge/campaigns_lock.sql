SELECT id FROM campaigns WHERE tenant_id = $1 LIMIT $2 FOR UPDATE
