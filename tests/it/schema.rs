//! The schema's own promises, asked of the database that the migrations make: every statement fits it, and nobody
//! sees another tenant's rows.

mod closed;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use muster_tests::servers::SUPERUSER;
use muster_tests::{Postgres, PostgresOptions, RunDir, binaries, shared};
use tokio::sync::OnceCell;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const DATABASE: &str = "schema_story";
const APP: &str = "muster_app";
const SYSTEM: &str = "muster_system";
/// Tables that belong to no tenant. A new one is put here on purpose or gets a tenant_id.
const SYSTEM_TABLES: [&str; 5] =
    ["claim_batches", "erased_objects", "order_frames", "projections", "refinery_schema_history"];

/// A connection to the migrated database in this role.
async fn connect(role: &str) -> Result<Client> {
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    MIGRATED.get_or_try_init(migrate).await?;
    let url = shared().await?.postgres.url(DATABASE, role);
    let (client, connection) =
        tokio_postgres::connect(&url, NoTls).await.with_context(|| format!("connect as {role}"))?;
    tokio::spawn(connection);
    Ok(client)
}

async fn migrate() -> Result<()> {
    let postgres = &shared().await?.postgres;
    postgres.create_database(DATABASE, None).await?;
    migrated(&postgres.url(DATABASE, SUPERUSER)).await
}

/// Brings the database behind `url` up to date.
async fn migrated(url: &str) -> Result<()> {
    let program = &binaries::binaries().await?.control_plane;
    let mut command = tokio::process::Command::new(program);
    let done = command.arg("migrate").env("MUSTER_DATABASE__OWNER_URL", url).output().await?;
    ensure!(done.status.success(), "the migration failed: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

#[tokio::test]
async fn two_databases_of_a_new_server_are_migrated_at_once() -> Result<()> {
    let run = RunDir::create()?;
    let postgres = Postgres::start(&run, PostgresOptions::default()).await?;
    let names: Vec<String> = (0..6).map(|number| format!("one_of_{number}")).collect();
    for name in &names {
        postgres.create_database(name, None).await?;
    }
    let urls: Vec<String> = names.iter().map(|name| postgres.url(name, SUPERUSER)).collect();
    futures::future::try_join_all(urls.iter().map(|url| migrated(url))).await?;
    Ok(())
}

/// The first column of what `query` finds.
async fn names(client: &Client, query: &str) -> Result<Vec<String>> {
    let rows = client.query(query, &[]).await.with_context(|| query.to_owned())?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Tables with rows of tenants.
async fn tenant_tables(client: &Client) -> Result<Vec<String>> {
    let query = "SELECT table_name::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1";
    let mut tables = names(client, query).await?;
    tables.push("tenants".to_owned());
    Ok(tables)
}

#[tokio::test]
async fn every_statement_fits_the_schema() -> Result<()> {
    let client = connect(SYSTEM).await?;
    let mut statements = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/src/store"), &mut statements)?;
    ensure!(statements.len() > 50, "only {} statements were found", statements.len());
    for path in statements {
        let sql = std::fs::read_to_string(&path)?;
        client.prepare(&sql).await.with_context(|| format!("{} does not fit the schema", path.display()))?;
    }
    Ok(())
}

fn collect(folder: &Path, statements: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, statements)?;
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            statements.push(path);
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_table_is_a_tenants_or_the_systems() -> Result<()> {
    let client = connect(SUPERUSER).await?;
    let all = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let tenants = tenant_tables(&client).await?;
    for table in names(&client, all).await? {
        let systems = SYSTEM_TABLES.contains(&table.as_str());
        ensure!(
            tenants.contains(&table) != systems,
            "{table} needs a tenant_id, or a place in SYSTEM_TABLES"
        );
        let privileges = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER";
        let query = format!("SELECT has_table_privilege('{APP}', '{table}', '{privileges}')");
        let granted: bool = client.query_one(&query, &[]).await?.get(0);
        ensure!(!(systems && granted), "{table} belongs to the loops, and {APP} has a right to it");
    }
    Ok(())
}

#[tokio::test]
async fn row_level_security_is_forced_with_the_tenant_inline() -> Result<()> {
    let client = connect(SUPERUSER).await?;
    for table in tenant_tables(&client).await? {
        let query = format!(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'public.{table}'::regclass"
        );
        let forced: bool = client.query_one(&query, &[]).await?.get(0);
        ensure!(forced, "{table} needs ENABLE and FORCE ROW LEVEL SECURITY");

        let query =
            "SELECT roles::text[], cmd, permissive, qual, with_check FROM pg_policies WHERE tablename = $1";
        let policies = client.query(query, &[&table]).await?;
        let column = if table == "tenants" { "id" } else { "tenant_id" };
        let own = format!("({column} = (current_setting('muster.tenant_id'::text))::uuid)");
        for policy in &policies {
            let roles: Vec<String> = policy.get("roles");
            let qual: Option<&str> = policy.get("qual");
            ensure!(
                policy.get::<_, &str>("cmd") == "ALL"
                    && policy.get::<_, Option<&str>>("with_check").is_none()
            );
            match roles.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [APP] => ensure!(qual == Some(own.as_str()), "the policy of {table} is {qual:?}, not {own}"),
                [SYSTEM] => ensure!(qual == Some("true"), "the policy of {table} is {qual:?}"),
                _ => anyhow::bail!("a policy of {table} is for {roles:?}"),
            }
        }
        ensure!(policies.len() == 2, "{table} has {} policies instead of one a role", policies.len());
    }
    Ok(())
}

#[tokio::test]
async fn neither_role_can_get_around_it() -> Result<()> {
    let client = connect(SUPERUSER).await?;
    let strong = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'muster%' AND \
                  (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)";
    ensure!(names(&client, strong).await?.is_empty(), "a role of ours has more than a login");
    let members = "SELECT member::regrole::text FROM pg_auth_members \
                   WHERE member::regrole::text LIKE 'muster%' OR roleid::regrole::text LIKE 'muster%'";
    ensure!(
        names(&client, members).await?.is_empty(),
        "a role of ours is a member of another, or has members"
    );
    let owned = "SELECT classid::regclass::text FROM pg_shdepend \
                 WHERE deptype = 'o' AND refobjid::regrole::text LIKE 'muster%'";
    ensure!(
        names(&client, owned).await?.is_empty(),
        "a role of ours owns something, and an owner may do anything"
    );
    Ok(())
}

#[tokio::test]
async fn what_the_audit_log_says_can_neither_be_changed_nor_taken_away() -> Result<()> {
    let client = connect(SUPERUSER).await?;
    for role in [APP, SYSTEM] {
        for (table, rights) in
            [("audit_entries", "UPDATE, DELETE, TRUNCATE"), ("audit_heads", "DELETE, TRUNCATE")]
        {
            let query = format!("SELECT has_table_privilege('{role}', '{table}', '{rights}')");
            let granted: bool = client.query_one(&query, &[]).await?.get(0);
            ensure!(!granted, "{role} has one of {rights} on {table}");
        }
        let query = format!("SELECT has_any_column_privilege('{role}', 'audit_entries', 'UPDATE')");
        let granted: bool = client.query_one(&query, &[]).await?.get(0);
        ensure!(!granted, "{role} may change a column of audit_entries");
        let ours = connect(role).await?;
        for statement in [
            "UPDATE audit_entries SET caller = ''",
            "DELETE FROM audit_entries",
            "TRUNCATE audit_entries",
            "DELETE FROM audit_heads",
            "TRUNCATE audit_heads",
        ] {
            let named = format!("SET muster.tenant_id = '{}'; {statement}", uuid::Uuid::nil());
            let refused = ours.batch_execute(&named).await.err();
            let code = refused.as_ref().and_then(|error| error.code()).cloned();
            ensure!(code == Some(SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {statement} gave {refused:?}");
        }
    }
    Ok(())
}

/// Makes a tenant with one contact list, and returns the tenant's id.
async fn tenant(system: &Client, name: &str) -> Result<String> {
    let id = names(system, "SELECT gen_random_uuid()::text").await?.concat();
    let insert = format!(
        "INSERT INTO tenants (id, display_name, broadcast_allowed) VALUES ('{id}', '{name}', false); \
         INSERT INTO contact_lists (id, tenant_id, display_name) VALUES (gen_random_uuid(), '{id}', '{name}')"
    );
    system.batch_execute(&insert).await.context("make a tenant")?;
    Ok(id)
}

#[tokio::test]
async fn a_tenant_sees_and_touches_its_own_rows_only() -> Result<()> {
    let system = connect(SYSTEM).await?;
    let (first, second) = (tenant(&system, "first").await?, tenant(&system, "second").await?);
    let mut app = connect(APP).await?;

    // Not named yet in this session, and named in a transaction before.
    for _ in 0..2 {
        for table in ["tenants", "contact_lists"] {
            let refused = app.query(&format!("SELECT * FROM {table}"), &[]).await;
            ensure!(refused.is_err(), "{table} was read without a tenant");
        }
        let tx = app.transaction().await?;
        tx.execute("SELECT set_config('muster.tenant_id', $1, true)", &[&first]).await?;
        let seen = tx.query("SELECT display_name FROM contact_lists", &[]).await?;
        let seen: Vec<&str> = seen.iter().map(|row| row.get(0)).collect();
        ensure!(seen == ["first"], "the first tenant sees {seen:?}");
        let seen = tx.query("SELECT id::text FROM tenants", &[]).await?;
        ensure!(seen.len() == 1 && seen[0].get::<_, &str>(0) == first, "the first tenant sees other tenants");
        let changed = "UPDATE contact_lists SET display_name = 'mine' WHERE tenant_id = $1::text::uuid";
        ensure!(tx.execute(changed, &[&second]).await? == 0, "the first tenant changed rows of the second");
        tx.rollback().await?;
    }

    let tx = app.transaction().await?;
    tx.execute("SELECT set_config('muster.tenant_id', $1, true)", &[&first]).await?;
    let planted = "INSERT INTO contact_lists (id, tenant_id, display_name) VALUES (gen_random_uuid(), $1::text::uuid, 'x')";
    ensure!(tx.execute(planted, &[&second]).await.is_err(), "the first tenant planted a row with the second");
    Ok(())
}
