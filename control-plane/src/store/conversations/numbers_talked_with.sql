SELECT DISTINCT ON (phone) phone, number_phone
FROM conversations
WHERE tenant_id = $1 AND phone = ANY ($2) AND number_phone = ANY ($3)
ORDER BY phone, update_time DESC
