-- Not while somebody pins the tenant to another provider, and not after that.
WITH pinned AS (
    SELECT FROM tenants WHERE id = $3 AND oidc_issuer = $4 AND oidc_audience = $5 FOR SHARE
)
UPDATE members SET subject = $2 FROM pinned WHERE members.id = $1 AND members.subject IS NULL
