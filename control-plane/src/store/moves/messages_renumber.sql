UPDATE messages m
SET number_id = moved.number_to
FROM unnest($1::uuid[], $2::uuid[]) AS moved (message_id, number_to)
WHERE m.id = moved.message_id
