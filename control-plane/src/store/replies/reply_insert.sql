-- The text that it answers is the last that went to this phone from this number: found by the lists of the tenant's latest
-- campaigns, each of which has a phone once.
WITH answered AS (
    SELECT m.id, m.campaign_id, e.time
    FROM (
        SELECT id, list_id FROM campaigns WHERE tenant_id = $2 AND start_time IS NOT NULL ORDER BY id DESC LIMIT $12
    ) c
    JOIN contacts k ON k.list_id = c.list_id AND k.phone = $5
    JOIN messages m ON m.campaign_id = c.id AND m.contact_id = k.id
    JOIN phone_numbers n ON n.id = m.number_id AND n.phone = $6
    CROSS JOIN LATERAL (SELECT max(time) AS time FROM message_events WHERE message_id = m.id AND status = $11) e
    WHERE e.time IS NOT NULL
    ORDER BY e.time DESC
    LIMIT 1
), kept AS (
    INSERT INTO replies
        (id, tenant_id, account_id, provider_message_id, phone_from, phone_to, body, media_urls, keyword, receive_time,
         message_id, campaign_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
            (SELECT id FROM answered), (SELECT campaign_id FROM answered))
    ON CONFLICT (account_id, provider_message_id) DO NOTHING
    RETURNING id, message_id, campaign_id
), media AS (
    INSERT INTO reply_media (id, tenant_id, reply_id, place, object_key, next_try_time)
    SELECT new.id, $2, kept.id, new.place, new.object_key, $10
    FROM kept CROSS JOIN unnest($13::uuid[], $14::text[]) WITH ORDINALITY AS new (id, object_key, place)
)
SELECT kept.message_id, kept.campaign_id, (SELECT time FROM answered) AS text_time,
       (SELECT id FROM phone_numbers WHERE tenant_id = $2 AND phone = $6) AS number_id
FROM kept
