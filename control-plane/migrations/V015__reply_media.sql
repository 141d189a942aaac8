-- Media of replies: fetched from their providers by gateways, and kept in an object store. Where each is, its reply's
-- media_urls say.
CREATE TABLE reply_media (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    reply_id uuid NOT NULL,
    -- Which of the reply's media_urls it is, from 1.
    place smallint NOT NULL,
    -- Chosen before anything is fetched, so that whoever stores it again stores it in the same place.
    object_key text NOT NULL UNIQUE,
    -- 1: pending, 2: stored, 3: refused, 4: gone.
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 4),
    -- Numbered as in the API.
    reason smallint NOT NULL DEFAULT 0,
    -- When a gateway may take it: while one has it, when that must be over.
    next_try_time timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    -- Once it is stored.
    content_type text,
    size_bytes bigint,
    sha256 bytea CHECK (octet_length(sha256) = 32),
    UNIQUE (reply_id, place),
    CHECK ((state = 2) = (num_nulls(content_type, size_bytes, sha256) = 0))
);
CREATE INDEX reply_media_pending ON reply_media (next_try_time) WHERE state = 1;
CREATE INDEX ON reply_media (tenant_id);

-- Objects whose rows are erased, and which are erased after them. Each is deleted twice: a gateway that was slow may have
-- stored it again after the first time. A key begins with its tenant's id, and says nothing else of anybody.
CREATE TABLE erased_objects (
    object_key text PRIMARY KEY,
    due_time timestamptz NOT NULL,
    -- Whether it was deleted once.
    deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX ON erased_objects (due_time);
GRANT SELECT, INSERT, UPDATE, DELETE ON erased_objects TO muster_system;

-- Those of the replies that are there. The owner sees rows of its own tables only where row-level security is not forced
-- on it.
ALTER TABLE replies NO FORCE ROW LEVEL SECURITY;
INSERT INTO reply_media (id, tenant_id, reply_id, place, object_key, next_try_time)
SELECT gen_random_uuid(), r.tenant_id, r.id, m.place,
       r.tenant_id || '/' || replace(gen_random_uuid() || '' || gen_random_uuid(), '-', ''), now()
FROM replies r CROSS JOIN LATERAL unnest(r.media_urls) WITH ORDINALITY AS m (url, place);
ALTER TABLE replies FORCE ROW LEVEL SECURITY;

ALTER TABLE reply_media ENABLE ROW LEVEL SECURITY;
ALTER TABLE reply_media FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON reply_media TO muster_app USING (tenant_id = current_setting('muster.tenant_id')::uuid);
CREATE POLICY system ON reply_media TO muster_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON reply_media TO muster_system;
GRANT SELECT ON reply_media TO muster_app;
