INSERT INTO api_key_secrets (hash, tenant_id, key_id) VALUES ($1, $2, $3)
