SELECT id
FROM campaigns
WHERE id > $1 AND state <> $4 AND (end_time IS NULL OR end_time > $2)
ORDER BY id
LIMIT $3
