WITH erased AS (
    DELETE FROM reply_media
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM reply_media WHERE tenant_id = $1 LIMIT $2))
    RETURNING object_key
)
INSERT INTO erased_objects (object_key, due_time) SELECT object_key, now() FROM erased
