-- The shorter of the tenant's own retention and the platform's; NULL where neither says any.
SELECT id
FROM tenants
WHERE state <> $1 AND least(nullif(retention_days, 0), nullif($2, 0)) IS NOT NULL
  AND (erase_look_time IS NULL OR erase_look_time <= $3)
ORDER BY erase_look_time NULLS FIRST
LIMIT $4
