SELECT s.message_id, s.error_class, s.error_code
FROM unnest($1::uuid[], $2::smallint[]) AS wanted (message_id, attempt)
JOIN message_states s ON s.message_id = wanted.message_id AND s.attempt = wanted.attempt
WHERE s.status = $3
ORDER BY s.message_id
FOR UPDATE OF s
