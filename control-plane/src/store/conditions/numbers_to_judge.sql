SELECT id, account_id, condition, sign_time FROM phone_numbers WHERE condition <> 1
UNION
SELECT id, account_id, condition, sign_time FROM phone_numbers WHERE account_id = ANY ($1)
