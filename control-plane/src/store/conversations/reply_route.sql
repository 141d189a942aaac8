-- The text that it answers is the last that went to this phone from this number: found by the lists of the tenant's latest
-- campaigns, each of which has a phone once.
SELECT n.id AS number_id, text.campaign_id, text.id AS message_id
FROM phone_numbers n
LEFT JOIN LATERAL (
    SELECT m.id, m.campaign_id
    FROM (
        SELECT id, list_id FROM campaigns WHERE tenant_id = $1 AND start_time IS NOT NULL ORDER BY id DESC LIMIT $5
    ) c
    JOIN contacts k ON k.list_id = c.list_id AND k.phone = $2
    JOIN messages m ON m.campaign_id = c.id AND m.contact_id = k.id AND m.number_id = n.id
    CROSS JOIN LATERAL (SELECT max(time) AS time FROM message_events WHERE message_id = m.id AND status = $4) claim
    WHERE claim.time IS NOT NULL
    ORDER BY claim.time DESC
    LIMIT 1
) text ON true
WHERE n.tenant_id = $1 AND n.phone = $3
