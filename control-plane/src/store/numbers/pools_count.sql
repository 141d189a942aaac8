SELECT count(*) FROM number_pools WHERE tenant_id = $1
