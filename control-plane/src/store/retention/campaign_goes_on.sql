UPDATE campaigns SET end_time = NULL WHERE id = $1
