SELECT message_id, attempt, provider_message_id
FROM message_events
WHERE message_id = ANY ($1) AND provider_message_id <> '' AND cause <> 'receipt'
