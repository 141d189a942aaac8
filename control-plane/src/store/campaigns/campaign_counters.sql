SELECT status, error_class, error_code, count
FROM campaign_counters
WHERE campaign_id = $1 AND count <> 0
ORDER BY status, error_class, error_code
