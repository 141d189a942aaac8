-- Those that nobody could have in time are taken a last time, to be given up.
WITH due AS (
    SELECT m.id
    FROM reply_media m
    WHERE m.state = $1 AND m.next_try_time <= $2
    ORDER BY m.next_try_time
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE reply_media m
SET next_try_time = CASE WHEN r.receive_time > $5 THEN $4 ELSE m.next_try_time END,
    tries = m.tries + 1,
    state = CASE WHEN r.receive_time > $5 THEN m.state ELSE $6 END
FROM due, replies r
WHERE m.id = due.id AND r.id = m.reply_id
RETURNING m.id, m.state, m.object_key, r.account_id, r.media_urls[m.place] AS url
