-- What accounts at some providers have beside their name and their secret: who calls, and the application that the
-- numbers belong to. Empty where the provider has no such thing.
ALTER TABLE provider_accounts
    ADD COLUMN api_user text NOT NULL DEFAULT '',
    ADD COLUMN application_id text NOT NULL DEFAULT '';
