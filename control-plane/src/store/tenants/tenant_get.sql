SELECT id, display_name, broadcast_allowed, create_time, state, revision, suspend_reason, suspend_time, delete_time,
       purge_time, default_pool_id, texts_per_day, segments_per_second, api_calls_per_second, contact_lists_max,
       contacts_per_list_max, import_rows_max, members_max, api_keys_max, oidc_issuer, oidc_audience,
       open_minute, close_minute, retention_days
FROM tenants
WHERE id = $1
