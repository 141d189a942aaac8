SELECT id, pool_id, account_id, phone, type, segments_per_second, create_time,
       greatest(hold_time, to_timestamp(0)) AS hold_time FROM phone_numbers
WHERE pool_id = $1
ORDER BY id
