SELECT phone FROM contacts WHERE list_id = $1 AND phone = ANY ($2)
