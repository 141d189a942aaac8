SELECT NOT EXISTS (SELECT FROM routes WHERE tenant_id = current_setting('muster.tenant_id')::uuid)
    OR EXISTS (
        SELECT
        FROM phone_numbers n
        JOIN routes r ON r.account_id = n.account_id
        WHERE n.pool_id = $1 AND $2 = ANY (r.kinds)
    )
