-- The row is locked first, so that what it was before is what this call has changed.
WITH before AS (
    SELECT id, state, start_time FROM campaigns WHERE id = $1 AND state = ANY ($2) FOR UPDATE
)
UPDATE campaigns
SET state = $3, start_time = coalesce(campaigns.start_time, $4)
FROM before
WHERE campaigns.id = before.id
RETURNING campaigns.id, tenant_id, display_name, mode, list_id, pool_id, template, media_urls, validity_s, campaigns.state,
          planned_after, planned, planned_count, unplannable_count, create_time, campaigns.start_time,
          end_time, erase_time, before.state AS state_before, before.start_time AS start_time_before
