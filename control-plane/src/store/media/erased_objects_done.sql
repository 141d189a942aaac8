WITH forgotten AS (
    DELETE FROM erased_objects WHERE object_key = ANY ($1) AND deleted
)
UPDATE erased_objects SET deleted = true, due_time = $2 WHERE object_key = ANY ($1) AND NOT deleted
