-- Locked, so that nobody makes a campaign for one of them or imports into it until this transaction ends.
SELECT l.id
FROM contact_lists l
WHERE l.tenant_id = $1 AND l.erase_time IS NULL AND l.use_time < $2
  AND NOT EXISTS (SELECT FROM campaigns c WHERE c.list_id = l.id AND c.end_time IS NULL)
LIMIT $3
FOR UPDATE SKIP LOCKED
