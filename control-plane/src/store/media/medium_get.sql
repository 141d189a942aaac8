SELECT m.id, m.reply_id, m.state, m.reason, m.object_key, coalesce(m.content_type, '') AS content_type,
       coalesce(m.size_bytes, 0) AS size_bytes
FROM reply_media m
JOIN replies r ON r.id = m.reply_id
WHERE m.id = $1 AND m.reply_id = $2 AND ($3::text IS NULL OR EXISTS (
    SELECT
    FROM conversations c
    WHERE c.tenant_id = r.tenant_id AND c.phone = r.phone_from AND c.number_phone = r.phone_to AND c.texter = $3
))
