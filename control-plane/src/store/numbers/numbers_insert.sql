INSERT INTO phone_numbers (id, tenant_id, pool_id, account_id, phone, type, segments_per_second, create_time)
SELECT id, $1, pool_id, account_id, phone, type, segments_per_second, create_time
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::smallint[], $7::float8[], $8::timestamptz[])
    AS new (id, pool_id, account_id, phone, type, segments_per_second, create_time)
