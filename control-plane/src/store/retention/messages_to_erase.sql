SELECT m.id, m.contact_id, s.status = ANY ($4) AS unfinished
FROM messages m
JOIN message_states s ON s.message_id = m.id
WHERE m.campaign_id = $1 AND m.contact_id > $2
ORDER BY m.contact_id
LIMIT $3
