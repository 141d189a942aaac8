SELECT c.id, c.phone, c.number_phone, coalesce(c.texter, '') AS texter, c.message_id, c.campaign_id, c.text_time,
       c.reply_time, k.list_id, m.contact_id
FROM conversations c
LEFT JOIN messages m ON m.id = c.message_id
LEFT JOIN campaigns k ON k.id = c.campaign_id
WHERE c.tenant_id = current_setting('muster.tenant_id')::uuid AND (c.reply_time, c.id) < ($1, $2)
  AND ($4::text IS NULL OR c.texter = $4)
  AND ($5::uuid IS NULL OR c.campaign_id = $5)
  AND (NOT $6 OR c.reply_time > coalesce(c.text_time, '-infinity'))
ORDER BY c.reply_time DESC, c.id DESC
LIMIT $3
