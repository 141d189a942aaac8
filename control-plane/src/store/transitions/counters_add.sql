INSERT INTO campaign_counters AS c (campaign_id, tenant_id, status, error_class, error_code, count)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[])
ON CONFLICT (campaign_id, status, error_class, error_code) DO UPDATE SET count = c.count + excluded.count
