INSERT INTO rejected_events (stream, sequence, place, node, event, reason, tenant_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
