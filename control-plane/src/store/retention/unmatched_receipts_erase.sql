DELETE FROM unmatched_receipts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM unmatched_receipts WHERE tenant_id = $1 AND receive_time < $2 LIMIT $3))
