INSERT INTO conversations
    (tenant_id, phone, number_phone, texter, update_time, begun_by, id, message_id, campaign_id, text_time)
VALUES (current_setting('muster.tenant_id')::uuid, $1, $2, $3, $4, $5, $6, $5, $7, $4)
ON CONFLICT (tenant_id, phone, number_phone) DO UPDATE
SET texter = excluded.texter, update_time = excluded.update_time, message_id = excluded.message_id,
    campaign_id = excluded.campaign_id, text_time = excluded.text_time
