DELETE FROM opt_outs WHERE tenant_id = $1 AND phone = $2
