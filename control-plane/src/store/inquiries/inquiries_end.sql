DELETE FROM inquiries WHERE message_id = ANY ($1)
