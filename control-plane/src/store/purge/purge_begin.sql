UPDATE tenants
SET state = $3, display_name = '', suspend_reason = '', default_pool_id = NULL, oidc_issuer = NULL, oidc_audience = NULL,
    purge_look_time = $2, revision = revision + 1
WHERE state = $1 AND purge_time IS NOT NULL AND coalesce(purge_look_time, purge_time) <= $2
RETURNING id
