SELECT count(*) FROM phone_numbers WHERE tenant_id = $1
