-- Who may do what: members, roles, invitations and API keys. A built-in role is a number of muster-domain's; a role of a
-- tenant's own is a row. Of secrets and tokens only hashes are kept.

CREATE TABLE roles (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    permissions text[] NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    -- So that a reference can hold the tenant too: a role of one tenant can never be another's.
    UNIQUE (tenant_id, id)
);

CREATE TABLE members (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    email text NOT NULL,
    display_name text NOT NULL,
    built_in_role smallint,
    role_id uuid,
    -- The identity provider's own name of the person, once they have signed in there.
    subject text,
    create_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, email),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id),
    CHECK ((built_in_role IS NULL) <> (role_id IS NULL))
);
CREATE INDEX ON members (role_id) WHERE role_id IS NOT NULL;

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    email text NOT NULL,
    built_in_role smallint,
    role_id uuid,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id),
    CHECK ((built_in_role IS NULL) <> (role_id IS NULL))
);
CREATE INDEX ON invitations (tenant_id, id);
CREATE INDEX ON invitations (role_id) WHERE role_id IS NOT NULL;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    display_name text NOT NULL,
    -- A member's personal key has the member's role; any other has one of its own.
    member_id uuid,
    built_in_role smallint,
    role_id uuid,
    -- Empty: all permissions of the role.
    scopes text[] NOT NULL,
    hint text NOT NULL,
    expire_time timestamptz,
    last_use_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role_id) REFERENCES roles (tenant_id, id),
    CHECK (num_nonnulls(member_id, built_in_role, role_id) = 1)
);
CREATE INDEX ON api_keys (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX ON api_keys (role_id) WHERE role_id IS NOT NULL;

-- A key's secrets: one, and for a while after a rotation the one before.
CREATE TABLE api_key_secrets (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    expire_time timestamptz,
    FOREIGN KEY (tenant_id, key_id) REFERENCES api_keys (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ON api_key_secrets (key_id);

-- Who of the texters talks with whom: from which of our numbers, with which phone number. The last to send counts.
CREATE TABLE conversations (
    tenant_id uuid NOT NULL,
    phone text NOT NULL,
    number_phone text NOT NULL,
    texter text NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone, number_phone)
);
CREATE INDEX ON conversations (tenant_id, texter);

ALTER TABLE tenants
    DROP COLUMN key_hash,
    -- 1: active, 2: suspended, 3: deleted, to be purged later.
    ADD COLUMN state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'roles', 'members', 'invitations', 'api_keys', 'api_key_secrets', 'conversations'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO muster_app USING (tenant_id = current_setting(''muster.tenant_id'')::uuid)',
            tenant_table);
        EXECUTE format('CREATE POLICY system ON %I TO muster_system USING (true)', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO muster_system', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO muster_app', tenant_table);
    END LOOP;
END $$;

-- Locked by whoever counts owners, so that two cannot remove the last two at once. Locking a row needs the right to
-- update one column; this one never changes.
GRANT UPDATE (id) ON tenants TO muster_app;
