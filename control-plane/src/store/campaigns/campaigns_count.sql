SELECT count(*) FROM campaigns WHERE tenant_id = $1
