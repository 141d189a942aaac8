-- $3: when it is looked through again; NULL: at once, from where this ended; 'infinity' is $4.
UPDATE campaigns
SET receipts_to = $2,
    receipts_time = CASE WHEN $4 THEN 'infinity' ELSE coalesce($3, receipts_time) END
WHERE id = $1
