-- Hops from number to number of each campaign along the key, where the oldest is the first, instead of reading the
-- whole queue. Never more than 10,000 hops.
WITH RECURSIVE hop AS (
    (SELECT campaign_id, number_id, due_time FROM queue ORDER BY campaign_id, number_id, due_time LIMIT 1)
    UNION ALL
    SELECT next.campaign_id, next.number_id, next.due_time
    FROM hop
    CROSS JOIN LATERAL (
        SELECT q.campaign_id, q.number_id, q.due_time
        FROM queue q
        WHERE (q.campaign_id, q.number_id) > (hop.campaign_id, hop.number_id)
        ORDER BY q.campaign_id, q.number_id, q.due_time
        LIMIT 1
    ) next
)
SELECT c.mode, min(hops.due_time) AS due_time
FROM (SELECT campaign_id, due_time FROM hop LIMIT 10000) hops
JOIN campaigns c ON c.id = hops.campaign_id
JOIN tenants t ON t.id = c.tenant_id
WHERE c.state = $1 AND t.state = $2 AND hops.due_time <= $3
GROUP BY c.mode
