INSERT INTO order_frames (id, shard, message_ids, attempts, payload) VALUES ($1, $2, $3, $4, $5)
