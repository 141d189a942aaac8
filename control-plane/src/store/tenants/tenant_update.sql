UPDATE tenants
SET display_name = $2,
    broadcast_allowed = $3,
    state = $4,
    suspend_reason = $5,
    suspend_time = $6,
    delete_time = $7,
    purge_time = $8,
    default_pool_id = $9,
    texts_per_day = $10,
    segments_per_second = $11,
    api_calls_per_second = $12,
    contact_lists_max = $13,
    contacts_per_list_max = $14,
    import_rows_max = $15,
    members_max = $16,
    api_keys_max = $17,
    oidc_issuer = $18,
    oidc_audience = $19,
    open_minute = $20,
    close_minute = $21,
    retention_days = $22,
    -- Another retention acts at once.
    erase_look_time = CASE WHEN retention_days = $22 THEN erase_look_time END,
    revision = revision + 1
WHERE id = $1
RETURNING revision
