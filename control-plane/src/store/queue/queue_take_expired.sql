DELETE FROM queue
WHERE (campaign_id, number_id, message_id) IN (
    SELECT campaign_id, number_id, message_id FROM queue WHERE campaign_id = $1 AND expire_time <= $2 LIMIT $3
)
RETURNING message_id, number_id, segments, attempt
