SELECT DISTINCT ON (kek_id)
       id, tenant_id, display_name, provider, account_sid, api_user, application_id, base_url, create_time,
       kek_id, sealed_secrets,
       count(*) OVER (PARTITION BY kek_id) AS accounts
FROM provider_accounts
ORDER BY kek_id, id
