UPDATE campaigns
SET planned_after = $3,
    planned_count = planned_count + $4,
    unplannable_count = unplannable_count + $5,
    planned = $6
WHERE id = $1 AND planned_after = $2 AND NOT planned AND state = ANY ($7)
  AND EXISTS (SELECT FROM tenants t WHERE t.id = tenant_id AND t.state = $8)
