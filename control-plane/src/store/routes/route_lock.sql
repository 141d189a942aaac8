SELECT id, account_id, priority, weight, kinds, when_down, create_time FROM routes WHERE id = $1 FOR UPDATE
