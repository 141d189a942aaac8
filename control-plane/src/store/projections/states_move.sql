UPDATE message_states s
SET status = m.status, attempt = m.attempt, error_class = m.error_class, error_code = m.error_code, update_time = $8
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::smallint[], $5::smallint[], $6::smallint[], $7::text[])
    AS m (message_id, from_status, from_attempt, status, attempt, error_class, error_code)
WHERE s.message_id = m.message_id AND s.status = m.from_status AND s.attempt = m.from_attempt
