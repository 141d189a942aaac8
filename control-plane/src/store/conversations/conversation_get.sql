SELECT c.id, c.phone, c.number_phone, coalesce(c.texter, '') AS texter, c.message_id, c.campaign_id, c.text_time,
       c.reply_time, k.list_id, m.contact_id
FROM conversations c
LEFT JOIN messages m ON m.id = c.message_id
LEFT JOIN campaigns k ON k.id = c.campaign_id
WHERE c.id = $1 AND ($2::text IS NULL OR c.texter = $2)
