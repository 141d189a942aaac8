-- One statement, and so one snapshot. The time is taken after it, see tell_lock.
SELECT c.id, c.tenant_id, c.state, c.planned, clock_timestamp() AS read_time, n.statuses, n.counts
FROM campaigns c
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(status), '{}') AS statuses, coalesce(array_agg(count), '{}') AS counts
    FROM (
        SELECT status, sum(count)::bigint AS count
        FROM campaign_counters
        WHERE campaign_id = c.id
        GROUP BY status
        HAVING sum(count) <> 0
    ) by_status
) n
WHERE c.id = ANY ($1)
