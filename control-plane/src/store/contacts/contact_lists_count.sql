SELECT count(*) FROM contact_lists WHERE tenant_id = $1 AND erase_time IS NULL
