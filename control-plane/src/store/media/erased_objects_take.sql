UPDATE erased_objects o
SET due_time = $2
WHERE o.object_key = ANY (ARRAY(
    SELECT object_key FROM erased_objects WHERE due_time <= $1 ORDER BY due_time LIMIT $3 FOR UPDATE SKIP LOCKED
))
RETURNING o.object_key
