INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time)
SELECT $2, number_id, id, $1, segments, 1, $3, $4
FROM unnest($5::uuid[], $6::uuid[], $7::smallint[]) AS new (id, number_id, segments)
