DELETE FROM rejected_events
WHERE ctid = ANY (ARRAY(SELECT ctid FROM rejected_events WHERE tenant_id = $1 LIMIT $2))
