UPDATE members SET subject = NULL WHERE tenant_id = $1 AND subject IS NOT NULL
