SELECT status, error_class, error_code, sum(count)::bigint AS count
FROM campaign_counters
WHERE campaign_id = $1
GROUP BY status, error_class, error_code
HAVING sum(count) <> 0
ORDER BY status, error_class, error_code
