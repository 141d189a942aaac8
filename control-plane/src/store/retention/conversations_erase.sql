-- Their last text and their last reply are older, so that nothing is left in them.
DELETE FROM conversations
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM conversations
    WHERE tenant_id = $1
      AND update_time < least($2, (SELECT min(start_time) FROM campaigns WHERE tenant_id = $1 AND NOT erased))
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
