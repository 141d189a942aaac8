-- A tenant's life and its limits: suspended, deleted, purged; settings, quotas, and the identity provider whose tokens
-- it signs in with.

ALTER TABLE tenants
    DROP CONSTRAINT tenants_state_check,
    -- 1: active, 2: suspended, 3: deleted, to be purged later, 4: purged, of which this row is what is left.
    ADD CONSTRAINT tenants_state_check CHECK (state BETWEEN 1 AND 4),
    -- Grows with every change: the etag.
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN suspend_reason text NOT NULL DEFAULT '',
    ADD COLUMN suspend_time timestamptz,
    ADD COLUMN delete_time timestamptz,
    ADD COLUMN purge_time timestamptz,
    -- When the purge next looks for rows of a tenant that is purged.
    ADD COLUMN purge_look_time timestamptz,
    ADD COLUMN default_pool_id uuid REFERENCES number_pools,
    -- Quotas: 0 where the tenant has none of its own.
    ADD COLUMN texts_per_day bigint NOT NULL DEFAULT 0 CHECK (texts_per_day >= 0),
    ADD COLUMN segments_per_second bigint NOT NULL DEFAULT 0 CHECK (segments_per_second >= 0),
    ADD COLUMN api_calls_per_second bigint NOT NULL DEFAULT 0 CHECK (api_calls_per_second >= 0),
    ADD COLUMN contact_lists_max bigint NOT NULL DEFAULT 0 CHECK (contact_lists_max >= 0),
    ADD COLUMN contacts_per_list_max bigint NOT NULL DEFAULT 0 CHECK (contacts_per_list_max >= 0),
    ADD COLUMN import_rows_max bigint NOT NULL DEFAULT 0 CHECK (import_rows_max >= 0),
    ADD COLUMN members_max bigint NOT NULL DEFAULT 0 CHECK (members_max >= 0),
    ADD COLUMN api_keys_max bigint NOT NULL DEFAULT 0 CHECK (api_keys_max >= 0),
    ADD COLUMN oidc_issuer text,
    ADD COLUMN oidc_audience text,
    -- A token says its issuer and its audience: together they lead to one tenant.
    ADD UNIQUE (oidc_issuer, oidc_audience),
    ADD CHECK ((oidc_issuer IS NULL) = (oidc_audience IS NULL));
CREATE INDEX tenants_to_purge ON tenants (coalesce(purge_look_time, purge_time)) WHERE purge_time IS NOT NULL;
-- A pool is looked for here when it is deleted.
CREATE INDEX ON tenants (default_pool_id) WHERE default_pool_id IS NOT NULL;

-- How many texts of a tenant were claimed on each day, and were not certainly refused after it; and under day 0 how many
-- are ordered and not claimed yet. Changed in the transaction of each transition, in slots, as campaign_counters are.
CREATE TABLE tenant_texts (
    tenant_id uuid NOT NULL,
    -- Days since 1970-01-01, in UTC.
    day integer NOT NULL CHECK (day >= 0),
    slot smallint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, slot)
) WITH (fillfactor = 50);

-- What is ordered at this moment. The owner sees rows of its own tables only where row-level security is not forced on it.
ALTER TABLE campaign_counters NO FORCE ROW LEVEL SECURITY;
INSERT INTO tenant_texts (tenant_id, day, slot, count)
SELECT tenant_id, 0, 0, sum(count) FROM campaign_counters WHERE status = 3 GROUP BY tenant_id;
ALTER TABLE campaign_counters FORCE ROW LEVEL SECURITY;

-- The purge finds a tenant's rows by their keys; these had none that begins with it.
CREATE INDEX ON unmatched_receipts (tenant_id);
-- And whoever deletes a list, a pool or an account is asked whether it is referred to.
CREATE INDEX ON campaigns (list_id);
CREATE INDEX ON campaigns (pool_id);
CREATE INDEX ON phone_numbers (account_id);

ALTER TABLE tenant_texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_texts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_texts TO muster_app USING (tenant_id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON tenant_texts TO muster_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_texts TO muster_system;
