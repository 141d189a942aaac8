DELETE FROM rejected_rows
WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM contact_lists l JOIN rejected_rows x ON x.list_id = l.id WHERE l.tenant_id = $1 LIMIT $2
))
