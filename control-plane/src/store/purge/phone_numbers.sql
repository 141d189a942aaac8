DELETE FROM phone_numbers
WHERE ctid = ANY (ARRAY(SELECT ctid FROM phone_numbers WHERE tenant_id = $1 LIMIT $2))
