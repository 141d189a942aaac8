SELECT k.status, c.mode, sum(k.count)::bigint AS texts
FROM campaigns c
JOIN campaign_counters k ON k.campaign_id = c.id
WHERE c.end_time IS NULL AND k.status = ANY ($1)
GROUP BY k.status, c.mode
