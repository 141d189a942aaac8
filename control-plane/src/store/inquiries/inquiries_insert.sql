INSERT INTO inquiries (message_id, tenant_id, since, due_time)
SELECT message_id, tenant_id, since, since
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS new (message_id, tenant_id, since)
ON CONFLICT (message_id) DO UPDATE SET since = excluded.since, due_time = excluded.since, asked = 0
