-- A reply may be an answer to any campaign that was started before it: it stays while one of these is not erased. Its media
-- go after it, out of the store.
WITH replies_erased AS (
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
    RETURNING id
), media_erased AS (
    DELETE FROM reply_media m USING replies_erased r WHERE m.reply_id = r.id RETURNING m.object_key
), objects_erased AS (
    INSERT INTO erased_objects (object_key, due_time) SELECT object_key, $4 FROM media_erased
)
SELECT FROM replies_erased
