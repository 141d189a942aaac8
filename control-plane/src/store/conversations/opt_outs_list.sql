SELECT phone, create_time
FROM opt_outs
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND phone > $1
ORDER BY phone
LIMIT $2
