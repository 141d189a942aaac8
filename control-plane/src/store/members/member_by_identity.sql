-- Whoever has signed in before is known by their subject alone: an e-mail address may be given to somebody else one day.
SELECT m.id, m.subject IS NULL AS first_time, m.built_in_role, r.permissions
FROM members m
LEFT JOIN roles r ON r.id = m.role_id
WHERE m.tenant_id = $1 AND (m.subject = $2 OR (m.subject IS NULL AND m.email = $3))
ORDER BY m.subject NULLS LAST
LIMIT 1
