INSERT INTO replies
    (id, tenant_id, account_id, provider_message_id, phone_from, phone_to, body, media_urls, keyword, receive_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (account_id, provider_message_id) DO NOTHING
