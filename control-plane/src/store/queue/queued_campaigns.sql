-- Hops from campaign to campaign along the key, instead of reading the whole queue.
WITH RECURSIVE hop AS (
    (SELECT campaign_id FROM queue ORDER BY campaign_id LIMIT 1)
    UNION ALL
    SELECT (SELECT q.campaign_id FROM queue q WHERE q.campaign_id > hop.campaign_id ORDER BY q.campaign_id LIMIT 1)
    FROM hop
    WHERE hop.campaign_id IS NOT NULL
)
SELECT c.id, c.tenant_id, c.pool_id, c.state, c.mode, c.start_time + make_interval(secs => c.validity_s) AS expires_from,
       cardinality(c.media_urls) > 0 AS has_media, t.texts_per_day, t.segments_per_second
FROM hop
JOIN campaigns c ON c.id = hop.campaign_id
JOIN tenants t ON t.id = c.tenant_id
WHERE t.state = $1
  -- A tenant that may not broadcast any more: its broadcasts wait.
  AND (c.state <> $2 OR c.mode = $3 OR t.broadcast_allowed)
