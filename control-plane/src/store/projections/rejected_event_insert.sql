INSERT INTO rejected_events (stream, sequence, place, node, event, reason)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
