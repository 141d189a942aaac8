DELETE FROM claim_batches
WHERE id IN (
    SELECT id FROM claim_batches WHERE claim_time < $1 ORDER BY claim_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING message_ids, attempts
