SELECT id, tenant_id, display_name, mode, list_id, pool_id, template, media_urls, validity_s, state, planned_after,
       planned, planned_count, unplannable_count, create_time, start_time, end_time, erase_time
FROM campaigns
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
