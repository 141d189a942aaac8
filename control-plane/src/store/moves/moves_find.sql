-- Whoever has a conversation with the number stays with it, unless this very message is what began it.
SELECT q.message_id, q.number_id, q.number_phone, q.segments, q.attempt, q.due_time, q.phone
FROM unnest($2::uuid[], $3::text[]) AS n (number_id, phone)
CROSS JOIN LATERAL (
    SELECT queue.message_id, queue.number_id, n.phone AS number_phone, queue.segments, queue.attempt, queue.due_time,
           m.phone
    FROM queue
    JOIN messages m ON m.id = queue.message_id
    WHERE queue.campaign_id = $1 AND queue.number_id = n.number_id AND queue.due_time <= $4
      AND queue.attempt >= $6
      AND NOT EXISTS (
          SELECT
          FROM conversations c
          WHERE c.tenant_id = queue.tenant_id AND c.phone = m.phone AND c.number_phone = n.phone
            AND c.begun_by IS DISTINCT FROM queue.message_id
      )
    ORDER BY queue.due_time, queue.message_id
    LIMIT $5
) q
ORDER BY q.due_time, q.message_id
LIMIT $5
