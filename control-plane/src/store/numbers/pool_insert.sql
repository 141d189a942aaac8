INSERT INTO number_pools (id, tenant_id, display_name)
VALUES ($1, $2, $3)
RETURNING id, display_name, 0::bigint AS phone_number_count, create_time
