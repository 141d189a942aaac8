DELETE FROM assignments
WHERE (campaign_id, message_id) IN (
    SELECT campaign_id, message_id FROM assignments WHERE campaign_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING message_id
