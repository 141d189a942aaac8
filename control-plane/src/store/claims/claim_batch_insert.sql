INSERT INTO claim_batches (id, node, claim_time, message_ids, attempts) VALUES ($1, $2, $3, $4, $5)
