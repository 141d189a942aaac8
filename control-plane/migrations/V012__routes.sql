-- Routes: which provider accounts a tenant's texts go through, in which order, in which shares, and what becomes of
-- those of an account whose provider does not answer.

CREATE TABLE routes (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    account_id uuid NOT NULL UNIQUE REFERENCES provider_accounts,
    -- The lower comes first.
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 100),
    weight smallint NOT NULL CHECK (weight BETWEEN 1 AND 100),
    -- 1: SMS, 2: MMS.
    kinds smallint[] NOT NULL CHECK (cardinality(kinds) > 0),
    -- 1: wait, 2: move.
    when_down smallint NOT NULL CHECK (when_down BETWEEN 1 AND 2),
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON routes (tenant_id, id);

ALTER TABLE routes ENABLE ROW LEVEL SECURITY;
ALTER TABLE routes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON routes TO muster_app USING (tenant_id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON routes TO muster_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON routes TO muster_system, muster_app;

-- A conversation keeps its number, and a reply is a conversation too, whether or not a texter has a part in it.
ALTER TABLE conversations
    ALTER COLUMN texter DROP NOT NULL,
    -- The message whose click began it, until there is a reply: if that message goes out from another number, the
    -- conversation begins there.
    ADD COLUMN begun_by uuid;

-- Those of the replies that are there. The owner sees rows of its own tables only where row-level security is not
-- forced on it.
ALTER TABLE conversations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE replies NO FORCE ROW LEVEL SECURITY;
INSERT INTO conversations AS c (tenant_id, phone, number_phone, update_time)
SELECT tenant_id, phone_from, phone_to, max(receive_time) FROM replies GROUP BY tenant_id, phone_from, phone_to
ON CONFLICT (tenant_id, phone, number_phone)
DO UPDATE SET update_time = greatest(c.update_time, excluded.update_time);
ALTER TABLE conversations FORCE ROW LEVEL SECURITY;
ALTER TABLE replies FORCE ROW LEVEL SECURITY;
