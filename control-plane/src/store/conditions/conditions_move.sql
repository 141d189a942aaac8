UPDATE phone_numbers n
SET condition = new.condition_to, sign_time = $4
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[]) AS new (id, condition_from, condition_to)
WHERE n.id = new.id AND n.condition = new.condition_from
RETURNING n.id, n.tenant_id, n.account_id, n.condition
