//! What the schema keeps closed: no way around row-level security, in any schema that is not PostgreSQL's own. Each look is
//! a query that finds what must not be there; the second test plants that, and demands that it is found.

use anyhow::{Context, Result, ensure};
use muster_tests::servers::SUPERUSER;
use tokio_postgres::Client;

use super::{SYSTEM_TABLES, connect, names};

/// Relations outside of PostgreSQL's own schemas.
const OURS: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Schemas that are not PostgreSQL's own.
const SCHEMAS: &str =
    "(SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')";

/// What must not be there, with a query that finds it.
type Look = (&'static str, String);

/// The system's tables, as a list in SQL.
fn systems() -> String {
    SYSTEM_TABLES.map(|table| format!("'{table}'")).join(", ")
}

/// Things that must not be there.
fn things() -> Vec<Look> {
    let (systems, schemas) = (systems(), SCHEMAS);
    vec![
        (
            "a schema beside the one",
            "SELECT nspname::text FROM pg_namespace \
          WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
                .to_owned(),
        ),
        (
            "a view, a materialized view or a foreign table, which see what their owner sees",
            format!("SELECT c.relname::text FROM {OURS} AND c.relkind IN ('v', 'm', 'f')"),
        ),
        (
            "a table or a partition of tenants' rows without forced row-level security",
            format!(
                "SELECT c.relname::text FROM {OURS} AND c.relkind IN ('r', 'p') \
                  AND c.relname NOT IN ({systems}) AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
            ),
        ),
        (
            "a table or a partition without a tenant_id",
            format!(
                "SELECT c.relname::text FROM {OURS} AND c.relkind IN ('r', 'p') \
                  AND c.relname NOT IN ({systems}, 'tenants') \
                  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' \
                                  AND a.attnotnull)"
            ),
        ),
        (
            "a function or a procedure",
            format!("SELECT proname::text FROM pg_proc WHERE pronamespace IN {schemas}"),
        ),
        ("a trigger", "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal".to_owned()),
        ("an event trigger", "SELECT evtname::text FROM pg_event_trigger".to_owned()),
        (
            "a rule",
            format!(
                "SELECT rulename::text FROM pg_rewrite r WHERE r.ev_class IN \
                           (SELECT c.oid FROM {OURS} AND c.relkind IN ('r', 'p', 'f'))"
            ),
        ),
    ]
}

/// Rights that nobody must have.
fn rights() -> Vec<Look> {
    let (systems, schemas, ours) = (systems(), SCHEMAS, "'muster_app', 'muster_system'");
    vec![
        ("default privileges", "SELECT defaclrole::regrole::text FROM pg_default_acl".to_owned()),
        (
            "a right of everybody to a table, a sequence or a column",
            format!(
                "SELECT c.relname::text FROM {OURS} AND (EXISTS (SELECT FROM aclexplode(c.relacl) WHERE grantee = 0) \
                  OR EXISTS (SELECT FROM pg_attribute a, aclexplode(a.attacl) WHERE a.attrelid = c.oid AND grantee = 0))"
            ),
        ),
        (
            "a right of everybody or of ours to create in a schema",
            format!(
                "SELECT n.nspname::text || ' by ' || r.name FROM pg_namespace n, \
                  unnest(ARRAY['public', {ours}]) AS r (name) \
                  WHERE n.oid IN {schemas} AND has_schema_privilege(r.name, n.oid, 'CREATE')"
            ),
        ),
        (
            "a right of ours to what row-level security does not cover",
            format!(
                "SELECT c.relname::text || ' by ' || r.name FROM unnest(ARRAY[{ours}]) AS r (name), {OURS} \
                  AND c.relkind IN ('r', 'p') AND has_table_privilege(r.name, c.oid, 'TRUNCATE, REFERENCES, TRIGGER')"
            ),
        ),
        (
            "a right of tenants' calls to a table of the system's",
            format!(
                "SELECT c.relname::text FROM {OURS} AND c.relkind IN ('r', 'p') AND c.relname IN ({systems}) \
                  AND (has_table_privilege('muster_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE') \
                       OR has_any_column_privilege('muster_app', c.oid, 'SELECT, INSERT, UPDATE'))"
            ),
        ),
    ]
}

/// All that is there and must not be.
async fn open(client: &Client) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (what, query) in things().into_iter().chain(rights()) {
        let there = names(client, &query).await.with_context(|| format!("look for {what}"))?;
        found.extend(there.into_iter().map(|name| format!("{what}: {name}")));
    }
    Ok(found)
}

#[tokio::test]
async fn there_is_no_way_around_row_level_security() -> Result<()> {
    let open = open(&connect(SUPERUSER).await?).await?;
    ensure!(open.is_empty(), "{open:#?}");
    Ok(())
}

/// Something that must be found, and what is said of it.
const PLANTED: [(&str, &str); 18] = [
    ("CREATE SCHEMA planted", "a schema"),
    ("CREATE VIEW planted AS SELECT * FROM messages", "a view"),
    ("CREATE MATERIALIZED VIEW planted AS SELECT 1 AS one", "a view"),
    (
        "CREATE FOREIGN DATA WRAPPER planted; CREATE SERVER planted FOREIGN DATA WRAPPER planted; \
         CREATE FOREIGN TABLE planted (id int) SERVER planted",
        "a view",
    ),
    ("CREATE TABLE planted (tenant_id uuid NOT NULL)", "without forced"),
    (
        "CREATE TABLE planted (tenant_id uuid NOT NULL); ALTER TABLE planted ENABLE ROW LEVEL SECURITY",
        "without forced",
    ),
    (
        "CREATE TABLE planted (tenant_id uuid NOT NULL) PARTITION BY LIST (tenant_id); \
         ALTER TABLE planted ENABLE ROW LEVEL SECURITY; ALTER TABLE planted FORCE ROW LEVEL SECURITY; \
         CREATE TABLE planted_part PARTITION OF planted DEFAULT",
        "planted_part",
    ),
    (
        "CREATE TABLE planted (id int); ALTER TABLE planted ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE planted FORCE ROW LEVEL SECURITY",
        "without a tenant_id",
    ),
    ("CREATE FUNCTION planted() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", "a function"),
    (
        "CREATE TRIGGER planted BEFORE UPDATE ON tenants FOR EACH ROW \
         EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "a trigger",
    ),
    ("CREATE RULE planted AS ON INSERT TO messages DO ALSO NOTHING", "a rule"),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "default privileges"),
    ("GRANT SELECT ON messages TO PUBLIC", "everybody to a table"),
    ("GRANT SELECT (id) ON messages TO PUBLIC", "everybody to a table"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "to create"),
    ("GRANT TRUNCATE ON messages TO muster_app", "does not cover"),
    ("GRANT REFERENCES ON messages TO muster_system", "does not cover"),
    ("GRANT SELECT (sequence) ON projections TO muster_app", "of the system's"),
];

#[tokio::test]
async fn whatever_opens_a_way_is_found() -> Result<()> {
    let client = connect(SUPERUSER).await?;
    for (statement, wanted) in PLANTED {
        client.batch_execute("BEGIN").await?;
        client.batch_execute(statement).await.with_context(|| statement.to_owned())?;
        let found = open(&client).await?;
        client.batch_execute("ROLLBACK").await?;
        ensure!(found.iter().any(|found| found.contains(wanted)), "`{statement}` was not found: {found:?}");
    }
    Ok(())
}
