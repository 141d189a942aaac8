SELECT id, tenant_id, account_id, provider_message_id, phone_from, phone_to, body, media_urls, keyword, receive_time
FROM replies
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
