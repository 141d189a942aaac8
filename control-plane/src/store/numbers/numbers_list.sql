SELECT id, pool_id, account_id, phone, type, segments_per_second, create_time FROM phone_numbers
WHERE pool_id = $1 AND id > $2
ORDER BY id
LIMIT $3
