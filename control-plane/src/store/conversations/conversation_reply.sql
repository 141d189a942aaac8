INSERT INTO conversations AS c
    (tenant_id, phone, number_phone, update_time, reply_time, id, message_id, campaign_id, text_time)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, phone, number_phone) DO UPDATE
SET update_time = greatest(c.update_time, excluded.update_time),
    reply_time = greatest(c.reply_time, excluded.reply_time),
    begun_by = NULL,
    (message_id, campaign_id, text_time) = (
        SELECT message_id, campaign_id, text_time
        FROM (VALUES (c.message_id, c.campaign_id, c.text_time),
                     (excluded.message_id, excluded.campaign_id, excluded.text_time))
            AS text (message_id, campaign_id, text_time)
        ORDER BY text_time DESC NULLS LAST
        LIMIT 1
    )
