INSERT INTO unmatched_receipts (tenant_id, message_id, provider_message_id, state, receive_time)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
