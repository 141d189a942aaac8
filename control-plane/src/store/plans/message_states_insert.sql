INSERT INTO message_states (message_id, tenant_id, campaign_id, update_time, expire_time, status, attempt)
SELECT id, $1, $2, $3, expire_time, $6, 1
FROM unnest($4::uuid[], $5::timestamptz[]) AS new (id, expire_time)
