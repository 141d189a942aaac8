INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time)
SELECT m.campaign_id, m.number_id, m.id, m.tenant_id, m.segments, s.attempt, back.due_time, s.expire_time
FROM unnest($1::uuid[], $2::timestamptz[]) AS back (message_id, due_time)
JOIN messages m ON m.id = back.message_id
JOIN message_states s ON s.message_id = back.message_id
ON CONFLICT DO NOTHING
