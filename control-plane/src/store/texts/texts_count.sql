SELECT day, sum(count)::bigint AS count FROM tenant_texts WHERE tenant_id = $1 AND day = ANY ($2) GROUP BY day
