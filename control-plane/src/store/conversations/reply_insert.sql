WITH kept AS (
    INSERT INTO replies
        (id, tenant_id, account_id, provider_message_id, phone_from, phone_to, body, media_urls, keyword, receive_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (account_id, provider_message_id) DO NOTHING
    RETURNING tenant_id, phone_from, phone_to, receive_time
), goes_on AS (
    -- A conversation is as old as what was last said in it.
    UPDATE conversations c
    SET update_time = greatest(c.update_time, kept.receive_time)
    FROM kept
    WHERE c.tenant_id = kept.tenant_id AND c.phone = kept.phone_from AND c.number_phone = kept.phone_to
)
SELECT FROM kept
