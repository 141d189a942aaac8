WITH taken AS (
    DELETE FROM queue
    WHERE (campaign_id, number_id, message_id) IN (
        SELECT campaign_id, number_id, message_id
        FROM queue
        WHERE campaign_id = $1 AND expire_time <= $2
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    )
    RETURNING message_id, number_id, segments
)
SELECT taken.message_id, taken.number_id, taken.segments, s.attempt
FROM taken
JOIN message_states s USING (message_id)
