-- Receipts that do not come: each campaign is looked through now and then for messages that have been SENT for long, and
-- their providers are asked as they are about UNCONFIRMED ones. By campaign, because no index may hold a message's status.

ALTER TABLE campaigns
    -- When it is next looked through; 'infinity' where nothing can be missing any more.
    ADD COLUMN receipts_time timestamptz NOT NULL DEFAULT '-infinity',
    -- How far it was looked through, by contact. It moves in the transaction that looks.
    ADD COLUMN receipts_to uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
CREATE INDEX campaigns_receipts ON campaigns (receipts_time) WHERE start_time IS NOT NULL AND receipts_time < 'infinity';

COMMENT ON COLUMN inquiries.since IS 'Since when it is UNCONFIRMED, or SENT.';
