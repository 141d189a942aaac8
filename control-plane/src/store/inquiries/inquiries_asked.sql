UPDATE inquiries i SET asked = i.asked + 1, due_time = next.due_time
FROM unnest($1::uuid[], $2::timestamptz[]) AS next (message_id, due_time)
WHERE i.message_id = next.message_id
