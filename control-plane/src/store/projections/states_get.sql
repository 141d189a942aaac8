SELECT s.message_id, s.tenant_id, s.campaign_id, s.status, s.attempt, s.error_class, s.error_code, s.update_time,
       m.number_id
FROM unnest($1::uuid[]) AS wanted (message_id)
JOIN message_states s ON s.message_id = wanted.message_id
JOIN messages m ON m.id = wanted.message_id
