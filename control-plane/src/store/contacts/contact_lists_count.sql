SELECT count(*) FROM contact_lists WHERE tenant_id = $1
