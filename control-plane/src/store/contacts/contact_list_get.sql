SELECT id, display_name, contact_count, rejected_row_count, create_time, erase_time FROM contact_lists WHERE id = $1
