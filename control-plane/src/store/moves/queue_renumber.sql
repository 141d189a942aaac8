UPDATE queue q
SET number_id = moved.number_to
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[])
    AS moved (message_id, number_from, number_to, due_time)
WHERE q.campaign_id = $1 AND q.number_id = moved.number_from AND q.due_time = moved.due_time
  AND q.message_id = moved.message_id
