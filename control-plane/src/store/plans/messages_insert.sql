INSERT INTO messages (id, tenant_id, campaign_id, contact_id, number_id, phone, body, segments, create_time)
SELECT id, $1, $2, contact_id, number_id, phone, body, segments, $3
FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::smallint[])
    AS new (id, contact_id, number_id, phone, body, segments)
