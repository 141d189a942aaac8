DELETE FROM unmatched_receipts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM unmatched_receipts WHERE tenant_id = $1 LIMIT $2))
