UPDATE campaigns SET erased_to = $2, erased = $3, erase_time = coalesce(erase_time, $4) WHERE id = $1
