SELECT id, oidc_audience FROM tenants WHERE oidc_issuer = $1 AND oidc_audience = ANY ($2)
