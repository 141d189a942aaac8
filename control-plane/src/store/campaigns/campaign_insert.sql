INSERT INTO campaigns
    (id, tenant_id, display_name, mode, list_id, pool_id, template, media_urls, validity_s, state, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
