DELETE FROM campaigns c
WHERE c.id = ANY ($1)
  AND NOT EXISTS (SELECT FROM messages m WHERE m.campaign_id = c.id)
  AND NOT EXISTS (SELECT FROM queue q WHERE q.campaign_id = c.id)
  AND NOT EXISTS (SELECT FROM assignments a WHERE a.campaign_id = c.id)
  AND NOT EXISTS (SELECT FROM campaign_counters n WHERE n.campaign_id = c.id)
