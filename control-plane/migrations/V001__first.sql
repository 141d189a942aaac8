-- The first schema. Two kinds of tables:
--
-- * Tenant tables carry tenant_id and forced row-level security. The role muster_app, which answers tenants'
--   calls, sees the rows of one tenant, named by the setting muster.tenant_id of its transaction; where that is
--   not set, the cast of '' to uuid fails, and with it the query. Nothing can bypass it: neither role owns a
--   table or has BYPASSRLS.
-- * System tables belong to the background loops alone: muster_app has no right to them.
--
-- The role muster_system runs the loops, over all tenants. Statuses and classes are smallint, numbered by
-- muster-domain: an enum's comparison is not leakproof, and row-level security would keep it from indexes.

-- Roles belong to the whole server: they may be there, or another database's migration may make them at this moment.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['muster_app', 'muster_system'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    broadcast_allowed boolean NOT NULL,
    key_hash bytea UNIQUE CHECK (octet_length(key_hash) = 32),
    create_time timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE contact_lists (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    contact_count bigint NOT NULL DEFAULT 0 CHECK (contact_count >= 0),
    rejected_row_count bigint NOT NULL DEFAULT 0 CHECK (rejected_row_count >= 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON contact_lists (tenant_id, id);

CREATE TABLE contacts (
    list_id uuid NOT NULL REFERENCES contact_lists,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    phone text NOT NULL,
    fields jsonb NOT NULL,
    PRIMARY KEY (list_id, id),
    UNIQUE (list_id, phone)
);

CREATE TABLE rejected_rows (
    list_id uuid NOT NULL REFERENCES contact_lists,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    line bigint NOT NULL,
    reason text NOT NULL,
    content text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list_id, id)
);

CREATE TABLE provider_accounts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    provider smallint NOT NULL,
    account_sid text NOT NULL,
    api_secret text NOT NULL,
    webhook_key text NOT NULL,
    base_url text,
    webhook_token text NOT NULL UNIQUE,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON provider_accounts (tenant_id, id);

CREATE TABLE number_pools (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON number_pools (tenant_id, id);

CREATE TABLE phone_numbers (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    pool_id uuid NOT NULL REFERENCES number_pools,
    account_id uuid NOT NULL REFERENCES provider_accounts,
    phone text NOT NULL,
    type smallint NOT NULL,
    segments_per_second float8 NOT NULL CHECK (segments_per_second > 0),
    create_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, phone)
);
CREATE INDEX ON phone_numbers (pool_id, id);

CREATE TABLE campaigns (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    mode smallint NOT NULL,
    list_id uuid NOT NULL REFERENCES contact_lists,
    pool_id uuid NOT NULL REFERENCES number_pools,
    template text NOT NULL,
    media_urls text[] NOT NULL,
    validity_s integer NOT NULL,
    state smallint NOT NULL,
    -- The planner's cursor: the last contact that it has dealt with. It moves in the transaction that plans.
    planned_after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    planned boolean NOT NULL DEFAULT false,
    planned_count bigint NOT NULL DEFAULT 0,
    unplannable_count bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz
);
CREATE INDEX ON campaigns (tenant_id, id);
CREATE INDEX campaigns_unplanned ON campaigns (start_time) WHERE NOT planned;

-- What never changes about a message. Beside it message_states, narrow, holds what does: most updates then stay
-- in their page and touch no index (HOT), at a third of the cost.
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    number_id uuid NOT NULL,
    phone text NOT NULL,
    body text NOT NULL,
    segments smallint NOT NULL,
    create_time timestamptz NOT NULL,
    -- Nobody is texted twice by one campaign, whatever the planner does. Contacts are planned in the order of
    -- their ids, so this index grows at its end.
    UNIQUE (campaign_id, contact_id)
);

-- No index holds a column that changes.
CREATE TABLE message_states (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    update_time timestamptz NOT NULL,
    expire_time timestamptz,
    status smallint NOT NULL CHECK (status BETWEEN 1 AND 12),
    attempt smallint NOT NULL CHECK (attempt >= 1),
    error_class smallint NOT NULL DEFAULT 0,
    error_code text NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

-- Every transition, append-only.
CREATE TABLE message_events (
    message_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    time timestamptz NOT NULL,
    status smallint NOT NULL,
    attempt smallint NOT NULL,
    error_class smallint NOT NULL,
    error_code text NOT NULL,
    cause text NOT NULL,
    provider_message_id text NOT NULL
);
CREATE INDEX ON message_events (message_id);

-- Messages by where they are now: rows for each campaign, status and reason, changed in the transaction of each
-- transition. The report reads this and nothing else. Transactions that run at the same time use different slots,
-- so that none waits for another's row; a count is the sum over all slots, and one slot alone may be negative.
CREATE TABLE campaign_counters (
    campaign_id uuid NOT NULL,
    slot smallint NOT NULL,
    tenant_id uuid NOT NULL,
    status smallint NOT NULL,
    error_class smallint NOT NULL,
    error_code text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (campaign_id, slot, status, error_class, error_code)
) WITH (fillfactor = 50);

-- Messages that wait to be ordered. First come, first served on each number.
CREATE TABLE queue (
    campaign_id uuid NOT NULL,
    number_id uuid NOT NULL,
    message_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    segments smallint NOT NULL,
    attempt smallint NOT NULL,
    due_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, number_id, message_id)
);

-- Messages of click campaigns that nobody has sent yet, and the texter who took them.
CREATE TABLE assignments (
    campaign_id uuid NOT NULL,
    message_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    texter text,
    assign_time timestamptz,
    PRIMARY KEY (campaign_id, message_id)
);
CREATE INDEX ON assignments (campaign_id, texter, message_id);

CREATE TABLE replies (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider_message_id text NOT NULL,
    phone_from text NOT NULL,
    phone_to text NOT NULL,
    body text NOT NULL,
    media_urls text[] NOT NULL,
    keyword smallint NOT NULL,
    receive_time timestamptz NOT NULL,
    -- A reply that the provider delivers again changes nothing.
    UNIQUE (account_id, provider_message_id)
);
CREATE INDEX ON replies (tenant_id, id);

CREATE TABLE opt_outs (
    tenant_id uuid NOT NULL,
    phone text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone)
);

-- Receipts that belong to no message of their tenant, or whose state the provider does not document: kept, not
-- guessed at.
CREATE TABLE unmatched_receipts (
    tenant_id uuid NOT NULL,
    message_id uuid,
    provider_message_id text NOT NULL,
    state text NOT NULL,
    receive_time timestamptz NOT NULL
);

-- The outbox of orders: one row a frame. It stays until every message in it has left ORDERED, so that a frame
-- lost by JetStream is published again.
CREATE TABLE order_frames (
    id uuid PRIMARY KEY,
    shard smallint NOT NULL,
    message_ids uuid[] NOT NULL,
    attempts smallint[] NOT NULL,
    publish_time timestamptz
);
CREATE INDEX order_frames_unpublished ON order_frames (id) WHERE publish_time IS NULL;

-- The outbox of status changes: one row a tenant and transaction, deleted when JetStream has it.
CREATE TABLE status_frames (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    payload bytea NOT NULL
);

-- What was claimed together. The reaper looks at each once, when its deadline is over.
CREATE TABLE claim_batches (
    id uuid PRIMARY KEY,
    node text NOT NULL,
    claim_time timestamptz NOT NULL,
    message_ids uuid[] NOT NULL,
    attempts smallint[] NOT NULL
);
CREATE INDEX ON claim_batches (claim_time);

-- How far a stream has been projected. A stream of the same name that was created at another time is another one.
CREATE TABLE projections (
    stream text PRIMARY KEY,
    stream_create_time timestamptz NOT NULL,
    sequence bigint NOT NULL,
    -- All that JetStream had at this time has been projected. While this is long ago nothing is claimed: a STOP may be
    -- among what has not been projected.
    caught_up_time timestamptz NOT NULL DEFAULT 'epoch'
);

-- Events that no transaction can hold, such as one with a value that a column refuses: kept for people to look at, so
-- that they stop nothing behind them.
CREATE TABLE rejected_events (
    stream text NOT NULL,
    sequence bigint NOT NULL,
    place integer NOT NULL,
    node text NOT NULL,
    event bytea NOT NULL,
    reason text NOT NULL,
    reject_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, sequence, place)
);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'contact_lists', 'contacts', 'rejected_rows', 'provider_accounts', 'number_pools', 'phone_numbers',
        'campaigns', 'messages', 'message_states', 'message_events', 'campaign_counters', 'queue', 'assignments',
        'replies', 'opt_outs', 'unmatched_receipts', 'status_frames'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO muster_app USING (tenant_id = current_setting(''muster.tenant_id'')::uuid)',
            tenant_table);
        EXECUTE format('CREATE POLICY system ON %I TO muster_system USING (true)', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO muster_system', tenant_table);
    END LOOP;
END $$;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants TO muster_app USING (id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON tenants TO muster_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO muster_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON order_frames, claim_batches, projections, rejected_events
    TO muster_system;
-- A control-plane serves only once the migrations that it knows are there.
GRANT SELECT ON refinery_schema_history TO muster_system;

-- A tenant's calls have just the rights that they need.
GRANT SELECT ON tenants, messages, message_events, replies, opt_outs TO muster_app;
GRANT SELECT, INSERT ON contacts, rejected_rows, number_pools, phone_numbers TO muster_app;
GRANT SELECT, INSERT, UPDATE ON contact_lists, provider_accounts, campaigns TO muster_app;
GRANT SELECT, UPDATE ON message_states TO muster_app;
GRANT INSERT ON message_events, status_frames TO muster_app;
GRANT SELECT, INSERT, UPDATE ON campaign_counters TO muster_app;
GRANT SELECT, INSERT, UPDATE ON queue TO muster_app;
GRANT SELECT, UPDATE, DELETE ON assignments TO muster_app;
