-- The secrets of provider accounts are sealed, and the database does not have the key. What is in the columns that go
-- cannot be sealed here, so this refuses to run where there are accounts: NOT NULL without a default fails on their
-- rows. Nothing was released that could have left any.
ALTER TABLE provider_accounts
    DROP COLUMN api_secret,
    DROP COLUMN webhook_key,
    DROP COLUMN webhook_token,
    -- The key-encryption key that the data key in sealed_secrets is wrapped under.
    ADD COLUMN kek_id text NOT NULL,
    ADD COLUMN sealed_secrets bytea NOT NULL,
    -- What a webhook's path is looked up by: the SHA-256 of its token, which is long and random.
    ADD COLUMN webhook_token_hash bytea NOT NULL UNIQUE;
