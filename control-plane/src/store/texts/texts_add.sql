INSERT INTO tenant_texts AS t (tenant_id, day, slot, count)
SELECT tenant_id, day, $4, delta
FROM unnest($1::uuid[], $2::integer[], $3::bigint[]) AS d (tenant_id, day, delta)
ON CONFLICT (tenant_id, day, slot) DO UPDATE SET count = t.count + excluded.count
