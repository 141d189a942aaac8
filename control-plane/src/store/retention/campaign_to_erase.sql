SELECT id, erased_to
FROM campaigns
WHERE tenant_id = $1 AND NOT erased AND end_time < $2
ORDER BY end_time
LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
