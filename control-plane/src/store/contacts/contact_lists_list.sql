SELECT id, display_name, contact_count, rejected_row_count, create_time, erase_time
FROM contact_lists
WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND id > $1
ORDER BY id
LIMIT $2
