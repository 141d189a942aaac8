SELECT id
FROM tenants
WHERE state = $1 AND purge_time IS NOT NULL AND coalesce(purge_look_time, purge_time) <= $2
ORDER BY coalesce(purge_look_time, purge_time)
LIMIT $3
