SELECT id, line, reason, coalesce(content, '') AS content, create_time
FROM rejected_rows
WHERE list_id = $1 AND id > $2
ORDER BY id
LIMIT $3
