INSERT INTO message_events
    (message_id, tenant_id, time, status, attempt, error_class, error_code, cause, provider_message_id)
SELECT *
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::smallint[], $5::smallint[], $6::smallint[], $7::text[],
            $8::text[], $9::text[])
