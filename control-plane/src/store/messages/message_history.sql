SELECT time, status, attempt, error_class, error_code, cause, provider_message_id
FROM message_events
WHERE message_id = $1
ORDER BY attempt, time, status
