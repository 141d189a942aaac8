SELECT r.id, r.tenant_id, r.account_id, r.provider_message_id, coalesce(r.phone_from, '') AS phone_from, r.phone_to,
       coalesce(r.body, '') AS body, r.media_urls, r.keyword, r.receive_time, r.erase_time
FROM replies r
WHERE r.tenant_id = current_setting('muster.tenant_id')::uuid AND r.id > $1
  AND ($3::text IS NULL OR EXISTS (
      SELECT
      FROM conversations c
      WHERE c.tenant_id = r.tenant_id AND c.phone = r.phone_from AND c.number_phone = r.phone_to AND c.texter = $3
  ))
ORDER BY r.id
LIMIT $2
