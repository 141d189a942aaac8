UPDATE routes SET priority = $2, weight = $3, kinds = $4, when_down = $5 WHERE id = $1
