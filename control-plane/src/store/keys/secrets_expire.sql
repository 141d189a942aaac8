-- Of the secrets before, only the one that was current goes on for a while.
WITH gone AS (
    DELETE FROM api_key_secrets WHERE key_id = $1 AND (expire_time IS NOT NULL OR $2::timestamptz <= $3::timestamptz)
)
UPDATE api_key_secrets SET expire_time = $2 WHERE key_id = $1 AND expire_time IS NULL AND $2::timestamptz > $3::timestamptz
