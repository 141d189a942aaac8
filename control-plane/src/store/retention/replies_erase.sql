-- A reply may be an answer to any campaign that was started before it: it stays while one of these is not erased.
UPDATE replies
SET phone_from = NULL, body = NULL, media_urls = '{}', erase_time = $4
WHERE id = ANY (ARRAY(
    SELECT id
    FROM replies
    WHERE tenant_id = $1 AND erase_time IS NULL
      AND receive_time < least($2, (SELECT min(start_time) FROM campaigns WHERE tenant_id = $1 AND NOT erased))
    ORDER BY receive_time
    LIMIT $3
))
