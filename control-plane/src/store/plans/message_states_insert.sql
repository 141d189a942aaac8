INSERT INTO message_states (message_id, tenant_id, campaign_id, update_time, expire_time, status, attempt)
SELECT id, $1, $2, $3, $6, $5, 1
FROM unnest($4::uuid[]) AS new (id)
