INSERT INTO contact_lists (id, tenant_id, display_name)
VALUES ($1, $2, $3)
RETURNING id, display_name, contact_count, rejected_row_count, create_time, erase_time
