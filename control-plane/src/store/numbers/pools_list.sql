SELECT id, display_name, create_time,
       (SELECT count(*) FROM phone_numbers WHERE pool_id = number_pools.id) AS phone_number_count
FROM number_pools
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
