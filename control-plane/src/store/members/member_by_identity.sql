-- Whoever has signed in before is known by their subject alone: an e-mail address may be given to somebody else one day.
-- The pin and the state are those of now: both may have changed while the issuer was asked.
SELECT m.id, m.subject IS NULL AS first_time, m.built_in_role, r.permissions, t.state
FROM members m
JOIN tenants t ON t.id = m.tenant_id AND t.oidc_issuer = $4 AND t.oidc_audience = $5
LEFT JOIN roles r ON r.id = m.role_id
WHERE m.tenant_id = $1 AND (m.subject = $2 OR (m.subject IS NULL AND m.email = $3))
ORDER BY m.subject NULLS LAST
LIMIT 1
