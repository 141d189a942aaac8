UPDATE contact_lists
SET contact_count = contact_count + $2, rejected_row_count = rejected_row_count + $3, use_time = now()
WHERE id = $1
