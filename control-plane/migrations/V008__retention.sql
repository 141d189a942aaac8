-- Retention: what is personal in finished work is erased when it is as old as its tenant wants. Rows stay, for what counts
-- and for what must not come twice; what is erased of them is NULL, never an empty text.

ALTER TABLE tenants
    -- 0: the platform's.
    ADD COLUMN retention_days integer NOT NULL DEFAULT 0 CHECK (retention_days >= 0),
    -- When it is next looked for what is too old; NULL: at once.
    ADD COLUMN erase_look_time timestamptz;

ALTER TABLE campaigns
    -- Since when nothing of it waits and nothing is on its way. It is seen by a loop, so a moment after it was so.
    ADD COLUMN end_time timestamptz,
    -- When the erasing of its messages began; how far it came, by contact; and whether it came to the end.
    ADD COLUMN erase_time timestamptz,
    ADD COLUMN erased_to uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN erased boolean NOT NULL DEFAULT false;
-- Few rows each: what is not finished, and what is not erased yet.
CREATE INDEX campaigns_not_ended ON campaigns (id) WHERE end_time IS NULL;
CREATE INDEX campaigns_not_erased ON campaigns (tenant_id, end_time) WHERE NOT erased;

-- No new column and no new index: a row of messages costs what it did. Its campaign says when it was erased.
ALTER TABLE messages
    ALTER COLUMN phone DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL;

ALTER TABLE contact_lists
    -- When it was created, or last imported into, or its last campaign ended. Lists that are there count from now on.
    ADD COLUMN use_time timestamptz NOT NULL DEFAULT now(),
    -- When the erasing of its contacts began; how far it came with its rejected rows; and whether it came to the end.
    ADD COLUMN erase_time timestamptz,
    ADD COLUMN erased_to uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN erased boolean NOT NULL DEFAULT false;
ALTER TABLE rejected_rows ALTER COLUMN content DROP NOT NULL;

ALTER TABLE replies
    ALTER COLUMN phone_from DROP NOT NULL,
    ALTER COLUMN body DROP NOT NULL,
    ADD COLUMN erase_time timestamptz,
    ADD CHECK ((erase_time IS NULL) = (body IS NOT NULL) AND (erase_time IS NULL) = (phone_from IS NOT NULL));
CREATE INDEX replies_not_erased ON replies (tenant_id, receive_time) WHERE erase_time IS NULL;
CREATE INDEX ON conversations (tenant_id, update_time);

DROP INDEX unmatched_receipts_tenant_id_idx;
CREATE INDEX ON unmatched_receipts (tenant_id, receive_time);

-- An event that was set aside is somebody's, too. Of those that are there nobody can say whose without reading them: this
-- refuses to run where there are any, because NOT NULL without a default fails on their rows. Nothing was released that
-- could have left one.
ALTER TABLE rejected_events ADD COLUMN tenant_id uuid NOT NULL;
CREATE INDEX ON rejected_events (tenant_id, reject_time);
ALTER TABLE rejected_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejected_events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rejected_events TO muster_app USING (tenant_id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON rejected_events TO muster_system USING (true);
