DELETE FROM queue
WHERE ctid = ANY (ARRAY (SELECT ctid FROM queue WHERE campaign_id = $1 LIMIT $2))
RETURNING message_id, number_id, segments, attempt, due_time
