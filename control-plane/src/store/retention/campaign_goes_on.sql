UPDATE campaigns SET end_time = NULL, receipts_time = '-infinity' WHERE id = $1
