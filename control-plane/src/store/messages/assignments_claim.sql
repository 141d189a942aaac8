UPDATE assignments
SET texter = $2, assign_time = $3
WHERE (campaign_id, message_id) IN (
    SELECT campaign_id, message_id
    FROM assignments
    WHERE campaign_id = $1 AND texter IS NULL
    ORDER BY message_id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
RETURNING message_id
