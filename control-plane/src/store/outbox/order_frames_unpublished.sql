SELECT id, shard, message_ids, attempts, payload
FROM order_frames
WHERE publish_time IS NULL
ORDER BY id
LIMIT $1
FOR UPDATE SKIP LOCKED
