UPDATE audit_heads SET hash = $2 WHERE tenant_id = $1
