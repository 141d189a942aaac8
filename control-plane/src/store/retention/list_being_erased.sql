SELECT id, erased_to
FROM contact_lists
WHERE tenant_id = $1 AND erase_time IS NOT NULL AND NOT erased
LIMIT 1
