DELETE FROM queue
WHERE (campaign_id, number_id, message_id) IN (
    SELECT campaign_id, number_id, message_id FROM queue WHERE campaign_id = $1 LIMIT $2
)
RETURNING message_id, number_id, segments, attempt
