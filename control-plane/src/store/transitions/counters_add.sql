INSERT INTO campaign_counters AS c (campaign_id, slot, tenant_id, status, error_class, error_code, count)
SELECT campaign_id, $7, tenant_id, status, error_class, error_code, delta
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[])
    AS d (campaign_id, tenant_id, status, error_class, error_code, delta)
ON CONFLICT (campaign_id, slot, status, error_class, error_code) DO UPDATE SET count = c.count + excluded.count
