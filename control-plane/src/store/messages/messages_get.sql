SELECT m.id, m.campaign_id, c.list_id, m.contact_id, coalesce(m.phone, '') AS phone_to, n.phone AS phone_from,
       coalesce(m.body, '') AS body, c.media_urls, m.segments, s.status, s.attempt, s.error_class, s.error_code,
       m.create_time, s.update_time, CASE WHEN m.body IS NULL THEN c.erase_time END AS erase_time
FROM messages m
JOIN message_states s ON s.message_id = m.id
JOIN campaigns c ON c.id = m.campaign_id
JOIN phone_numbers n ON n.id = m.number_id
WHERE m.id = ANY ($1)
ORDER BY m.id
