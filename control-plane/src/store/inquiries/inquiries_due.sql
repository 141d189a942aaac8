SELECT i.message_id, i.tenant_id, i.since, i.asked, s.status, s.attempt, s.error_class,
       s.error_code, s.campaign_id, n.account_id, m.number_id, m.phone AS phone_to,
       n.phone AS phone_from, m.body,
       (SELECT min(e.time) FROM message_events e
        WHERE e.message_id = i.message_id AND e.attempt = s.attempt AND e.status = $3) AS claim_time,
       (SELECT max(e.provider_message_id) FROM message_events e
        WHERE e.message_id = i.message_id AND e.provider_message_id <> '') AS provider_message_id
FROM inquiries i
JOIN message_states s ON s.message_id = i.message_id
JOIN messages m ON m.id = i.message_id
JOIN phone_numbers n ON n.id = m.number_id
WHERE i.due_time <= $1
ORDER BY i.due_time
LIMIT $2
FOR UPDATE OF i SKIP LOCKED
