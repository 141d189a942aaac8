SELECT EXISTS (
    SELECT
    FROM conversations
    WHERE tenant_id = current_setting('muster.tenant_id')::uuid AND phone = $1 AND number_phone = $2 AND texter = $3
)
