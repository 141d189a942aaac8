SELECT r.id, r.tenant_id, r.account_id, r.provider_message_id, coalesce(r.phone_from, '') AS phone_from, r.phone_to,
       coalesce(r.body, '') AS body, r.media_urls, r.keyword, r.receive_time, r.erase_time, r.message_id, r.campaign_id,
       c.id AS conversation_id
FROM replies r
LEFT JOIN conversations c
    ON c.tenant_id = r.tenant_id AND c.phone = r.phone_from AND c.number_phone = r.phone_to
WHERE r.tenant_id = current_setting('muster.tenant_id')::uuid AND r.id = ANY ($1)
