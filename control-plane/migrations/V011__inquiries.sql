-- Messages that are UNCONFIRMED, and when their provider is asked about them next. A row leaves when evidence has come, or
-- when nobody expects any more.
CREATE TABLE inquiries (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- Since when it is UNCONFIRMED.
    since timestamptz NOT NULL,
    due_time timestamptz NOT NULL,
    -- How often its provider was asked.
    asked smallint NOT NULL DEFAULT 0
);
CREATE INDEX ON inquiries (due_time);
CREATE INDEX ON inquiries (tenant_id);

-- Those that are UNCONFIRMED from before. The owner of the schema would see none of them.
ALTER TABLE message_states NO FORCE ROW LEVEL SECURITY;
INSERT INTO inquiries (message_id, tenant_id, since, due_time)
SELECT message_id, tenant_id, update_time, now() FROM message_states WHERE status = 9;
ALTER TABLE message_states FORCE ROW LEVEL SECURITY;

ALTER TABLE inquiries ENABLE ROW LEVEL SECURITY;
ALTER TABLE inquiries FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON inquiries TO muster_app USING (tenant_id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON inquiries TO muster_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON inquiries TO muster_system;
