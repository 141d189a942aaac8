INSERT INTO assignments (campaign_id, message_id, tenant_id)
SELECT $2, id, $1
FROM unnest($3::uuid[]) AS new (id)
