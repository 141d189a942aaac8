INSERT INTO rejected_rows (list_id, id, tenant_id, line, reason, content)
SELECT $2, id, $1, line, reason, content
FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[]) AS new (id, line, reason, content)
