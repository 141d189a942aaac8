SELECT least(nullif(retention_days, 0), nullif($3, 0)) AS days
FROM tenants
WHERE id = $1 AND state <> $2
FOR NO KEY UPDATE SKIP LOCKED
