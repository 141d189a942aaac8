UPDATE campaigns
SET state = $3, start_time = coalesce(start_time, $4)
WHERE id = $1 AND state = ANY ($2)
RETURNING id, tenant_id, display_name, mode, list_id, pool_id, template, media_urls, validity_s, state, planned_after,
       planned, planned_count, unplannable_count, create_time, start_time
