DELETE FROM message_events WHERE message_id = ANY ($1)
