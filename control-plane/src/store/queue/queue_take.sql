WITH candidate AS (
    SELECT q.row, sum(q.segments) OVER (PARTITION BY q.number_id ORDER BY q.due_time, q.message_id) - q.segments AS used,
           n.budget
    FROM unnest($2::uuid[], $3::integer[]) AS n (number_id, budget)
    CROSS JOIN LATERAL (
        SELECT queue.ctid AS row, queue.number_id, queue.due_time, queue.message_id, queue.segments
        FROM queue
        WHERE queue.campaign_id = $1 AND queue.number_id = n.number_id AND queue.due_time <= $4
        ORDER BY queue.due_time, queue.message_id
        LIMIT n.budget
    ) q
)
DELETE FROM queue
USING candidate
WHERE queue.ctid = candidate.row AND candidate.used < candidate.budget
RETURNING queue.message_id, queue.number_id, queue.segments, queue.attempt
