WITH candidate AS (
    SELECT q.row, q.due_time, q.message_id, q.segments, n.budget,
           sum(q.segments) OVER (PARTITION BY q.number_id ORDER BY q.due_time, q.message_id) - q.segments AS used
    FROM unnest($2::uuid[], $3::integer[]) AS n (number_id, budget)
    CROSS JOIN LATERAL (
        SELECT queue.ctid AS row, queue.number_id, queue.due_time, queue.message_id, queue.segments
        FROM queue
        WHERE queue.campaign_id = $1 AND queue.number_id = n.number_id AND queue.due_time <= $4
        ORDER BY queue.due_time, queue.message_id
        LIMIT n.budget
    ) q
), within_budget AS (
    -- Every number's next message comes before any number's second, so that a small share is spread.
    SELECT row, sum(segments) OVER (ORDER BY used, message_id) - segments AS used_by_all
    FROM candidate
    WHERE used < budget
)
DELETE FROM queue
USING within_budget
WHERE queue.ctid = within_budget.row AND within_budget.used_by_all < $5::integer
RETURNING queue.message_id, queue.number_id, queue.segments, queue.attempt, queue.due_time
