INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time)
SELECT $2, number_id, id, $1, segments, 1, due_time, expire_time
FROM unnest($3::uuid[], $4::uuid[], $5::smallint[], $6::timestamptz[], $7::timestamptz[])
    AS new (id, number_id, segments, due_time, expire_time)
