INSERT INTO contacts (list_id, id, tenant_id, phone, fields)
SELECT $2, id, $1, phone, fields
FROM unnest($3::uuid[], $4::text[], $5::jsonb[]) AS new (id, phone, fields)
-- In one order for everybody, so that two imports into one list do not wait for each other in a circle.
ORDER BY phone, id
ON CONFLICT (list_id, phone) DO NOTHING
RETURNING id
