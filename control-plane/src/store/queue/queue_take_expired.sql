DELETE FROM queue
WHERE ctid = ANY (ARRAY (SELECT ctid FROM queue WHERE campaign_id = $1 AND expire_time <= $2 LIMIT $3))
RETURNING message_id, number_id, segments, attempt, due_time
