DELETE FROM opt_outs
WHERE ctid = ANY (ARRAY(SELECT ctid FROM opt_outs WHERE tenant_id = $1 LIMIT $2))
