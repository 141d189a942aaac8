SELECT id, account_id, priority, weight, kinds, when_down, create_time
FROM routes
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
