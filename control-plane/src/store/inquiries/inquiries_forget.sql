-- Those whose message was purged.
DELETE FROM inquiries
WHERE message_id IN (
    SELECT i.message_id FROM inquiries i
    WHERE i.due_time <= $1 AND NOT EXISTS (SELECT FROM messages m WHERE m.id = i.message_id)
    LIMIT $2
)
