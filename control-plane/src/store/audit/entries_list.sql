-- Entries in order, until they have so many bytes: the first always, and no further one once it is enough.
SELECT tenant_id, sequence, time, caller, method, resource, address, before, after, result, hash
FROM (
    SELECT *, coalesce(sum(octet_length(before) + octet_length(after)) OVER (
        ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
    FROM audit_entries
    WHERE tenant_id = $1 AND sequence > $2 AND sequence <= $3 AND time >= $4 AND time < $5
        AND ($6::text = '' OR caller = $6) AND ($7::text = '' OR method = $7)
    ORDER BY sequence
    LIMIT $8
) AS entries
WHERE bytes_before < $9
ORDER BY sequence
