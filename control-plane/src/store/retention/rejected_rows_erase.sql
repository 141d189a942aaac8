WITH page AS (
    SELECT id FROM rejected_rows WHERE list_id = $1 AND id > $2 ORDER BY id LIMIT $3
)
UPDATE rejected_rows r
SET content = NULL
FROM page
WHERE r.list_id = $1 AND r.id = page.id
RETURNING r.id
