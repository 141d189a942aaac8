SELECT id
FROM campaigns
WHERE end_time IS NULL AND id > $1 AND (planned OR state = $2)
ORDER BY id
LIMIT $3
