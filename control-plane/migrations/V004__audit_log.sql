-- The audit log: what every call changed, or was refused. Neither role may change or take away what was written. It refers
-- to no tenant's row, so that it outlives its tenant, and so that nothing waits for the lock of a tenant's members.

CREATE TABLE audit_entries (
    tenant_id uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    time timestamptz NOT NULL,
    caller text NOT NULL,
    method text NOT NULL,
    resource text NOT NULL,
    address text NOT NULL,
    -- JSON, kept to the byte because it is hashed; empty for none.
    before text NOT NULL,
    after text NOT NULL,
    result text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX ON audit_entries (tenant_id, time);

-- The last entry of each tenant. Whoever writes an entry locks this row until the commit.
CREATE TABLE audit_heads (
    tenant_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 50);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['audit_entries', 'audit_heads'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO muster_app USING (tenant_id = current_setting(''muster.tenant_id'')::uuid)',
            tenant_table);
        EXECUTE format('CREATE POLICY system ON %I TO muster_system USING (true)', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON audit_entries TO muster_app, muster_system;
GRANT SELECT, INSERT, UPDATE ON audit_heads TO muster_app, muster_system;
