DELETE FROM contacts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM contacts WHERE list_id = $1 LIMIT $2))
