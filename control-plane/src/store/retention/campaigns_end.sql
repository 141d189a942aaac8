-- Those of which no message waits or is on its way. What is planned is counted in the transaction that plans it.
WITH ended AS (
    UPDATE campaigns c
    SET end_time = $3
    WHERE c.id = ANY ($1) AND c.end_time IS NULL AND (c.planned OR c.state = $2)
      AND (SELECT coalesce(sum(n.count), 0) FROM campaign_counters n WHERE n.campaign_id = c.id AND n.status = ANY ($4)) = 0
    RETURNING c.id, c.list_id
), used AS (
    UPDATE contact_lists l SET use_time = $3 FROM ended WHERE l.id = ended.list_id
)
SELECT id FROM ended
