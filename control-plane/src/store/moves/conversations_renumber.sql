-- A conversation that one of these messages begins, begins with the other number: there the reply will come.
WITH gone AS (
    DELETE FROM conversations c
    USING unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS moved (message_id, phone, phone_from, phone_to)
    WHERE c.tenant_id = $1 AND c.phone = moved.phone AND c.number_phone = moved.phone_from
      AND c.begun_by = moved.message_id
    RETURNING c.phone, moved.phone_to, c.texter, c.update_time, c.begun_by, c.id, c.message_id, c.campaign_id, c.text_time
)
INSERT INTO conversations
    (tenant_id, phone, number_phone, texter, update_time, begun_by, id, message_id, campaign_id, text_time)
SELECT $1, phone, phone_to, texter, update_time, begun_by, id, message_id, campaign_id, text_time FROM gone
ON CONFLICT (tenant_id, phone, number_phone) DO UPDATE
SET texter = excluded.texter, update_time = excluded.update_time, message_id = excluded.message_id,
    campaign_id = excluded.campaign_id, text_time = excluded.text_time
