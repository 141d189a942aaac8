DELETE FROM message_states WHERE message_id = ANY ($1)
