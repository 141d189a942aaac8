-- The campaign that has waited longest to be looked through. Where another transaction looks at it, the next one.
SELECT c.id, c.receipts_to, c.end_time,
       (SELECT coalesce(sum(n.count), 0) FROM campaign_counters n WHERE n.campaign_id = c.id AND n.status = $2) > 0 AS sent
FROM campaigns c
WHERE c.start_time IS NOT NULL AND c.receipts_time <= $1 AND c.receipts_time < 'infinity'
ORDER BY c.receipts_time
LIMIT 1
FOR UPDATE OF c SKIP LOCKED
