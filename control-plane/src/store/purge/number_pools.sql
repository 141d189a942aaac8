DELETE FROM number_pools
WHERE ctid = ANY (ARRAY(SELECT ctid FROM number_pools WHERE tenant_id = $1 LIMIT $2))
