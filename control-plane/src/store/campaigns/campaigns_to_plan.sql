SELECT id, tenant_id, display_name, mode, list_id, pool_id, template, media_urls, validity_s, state, planned_after,
       planned, planned_count, unplannable_count, create_time, start_time, end_time, erase_time
FROM campaigns
WHERE NOT planned AND state = ANY ($1) AND EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.state = $2)
ORDER BY start_time
