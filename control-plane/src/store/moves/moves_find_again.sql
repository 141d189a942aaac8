-- Those that wait for another attempt; otherwise as moves_find.sql.
SELECT q.message_id, q.number_id, n.phone AS number_phone, q.segments, q.attempt, q.due_time, m.phone,
       EXISTS (
           SELECT
           FROM conversations c
           WHERE c.tenant_id = q.tenant_id AND c.phone = m.phone AND c.number_phone = n.phone
             AND c.begun_by IS DISTINCT FROM q.message_id
       ) AS stays
FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[]) AS n (number_id, phone, due_time, message_id)
CROSS JOIN LATERAL (
    SELECT queue.message_id, queue.number_id, queue.tenant_id, queue.segments, queue.attempt, queue.due_time
    FROM queue
    WHERE queue.campaign_id = $1 AND queue.number_id = n.number_id AND queue.due_time <= $6 AND queue.attempt > 1
      AND (queue.due_time, queue.message_id) > (n.due_time, n.message_id)
    ORDER BY queue.due_time
    LIMIT $7
) q
JOIN messages m ON m.id = q.message_id
ORDER BY q.due_time, q.message_id
