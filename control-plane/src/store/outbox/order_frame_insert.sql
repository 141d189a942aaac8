INSERT INTO order_frames (id, shard, message_ids, attempts) VALUES ($1, $2, $3, $4)
