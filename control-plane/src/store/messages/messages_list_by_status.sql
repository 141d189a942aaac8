-- A stretch of the campaign's messages, and of these those of some statuses.
WITH stretch AS (
    SELECT id FROM messages WHERE campaign_id = $1 AND contact_id > $2 ORDER BY contact_id LIMIT $4
)
SELECT m.id, m.campaign_id, c.list_id, m.contact_id, coalesce(m.phone, '') AS phone_to, n.phone AS phone_from,
       coalesce(m.body, '') AS body, c.media_urls, m.segments, s.status, s.attempt, s.error_class, s.error_code,
       m.create_time, s.update_time, CASE WHEN m.body IS NULL THEN c.erase_time END AS erase_time
FROM stretch
JOIN messages m ON m.id = stretch.id
JOIN message_states s ON s.message_id = m.id
JOIN campaigns c ON c.id = m.campaign_id
JOIN phone_numbers n ON n.id = m.number_id
WHERE s.status = ANY ($5)
ORDER BY m.contact_id
LIMIT $3
