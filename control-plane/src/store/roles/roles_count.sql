SELECT count(*) FROM roles WHERE tenant_id = $1
