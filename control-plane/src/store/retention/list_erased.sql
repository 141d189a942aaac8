UPDATE contact_lists SET erased_to = $2, erased = $3 WHERE id = $1
