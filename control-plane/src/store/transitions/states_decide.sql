UPDATE message_states s
SET status = $4,
    update_time = $5,
    error_class = CASE WHEN $6 THEN 0 ELSE s.error_class END,
    error_code = CASE WHEN $6 THEN '' ELSE s.error_code END
FROM unnest($1::uuid[], $2::smallint[]) AS wanted (message_id, attempt)
WHERE s.message_id = wanted.message_id AND s.attempt = wanted.attempt AND s.status = $3
RETURNING s.message_id, s.tenant_id, s.campaign_id, s.attempt, s.error_class, s.error_code
