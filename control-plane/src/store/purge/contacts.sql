DELETE FROM contacts
WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM contact_lists l JOIN contacts x ON x.list_id = l.id WHERE l.tenant_id = $1 LIMIT $2
))
