-- The last contact of a stretch, where the campaign goes on behind it.
SELECT contact_id FROM messages
WHERE campaign_id = $1 AND contact_id > $2
ORDER BY contact_id
OFFSET $3::bigint - 1
LIMIT 1
