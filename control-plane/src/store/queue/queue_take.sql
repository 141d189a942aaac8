WITH candidate AS (
    SELECT q.message_id, q.number_id,
           sum(q.segments) OVER (PARTITION BY q.number_id ORDER BY q.message_id) - q.segments AS used, n.budget
    FROM unnest($2::uuid[], $3::integer[]) AS n (number_id, budget)
    CROSS JOIN LATERAL (
        SELECT *
        FROM queue
        WHERE queue.campaign_id = $1 AND queue.number_id = n.number_id AND queue.due_time <= $4
        ORDER BY queue.message_id
        LIMIT n.budget
        FOR UPDATE SKIP LOCKED
    ) q
), taken AS (
    DELETE FROM queue
    USING candidate
    WHERE queue.campaign_id = $1 AND queue.number_id = candidate.number_id
      AND queue.message_id = candidate.message_id AND candidate.used < candidate.budget
    RETURNING queue.message_id, queue.number_id, queue.segments
)
SELECT taken.message_id, taken.number_id, taken.segments, s.attempt
FROM taken
JOIN message_states s USING (message_id)
ORDER BY taken.message_id
