//! PostgreSQL: two pools in two roles, and the two kinds of transaction. A tenant's rows can be reached only
//! through [`TenantTx`], which names the tenant to row-level security for as long as it lasts.

mod connect;
mod error;

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use deadpool_postgres::{
    Client, ClientWrapper, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Transaction,
};
use muster_domain::id::TenantId;
use muster_runtime::clock;
use muster_runtime::supervise::Tasks;
use muster_runtime::tls::ClientFiles;
use secrecy::SecretString;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use uuid::Uuid;

use self::connect::Connector;
use self::error::Said;
pub use self::error::{Error, Result};
use crate::audit::Change;
use crate::config;
use crate::metrics;
use crate::store::schema::schema_version;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// How long a call waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// How long PostgreSQL may take to answer, and the schema to be there, when a process starts: a migration may be at
/// work at that moment.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The pause between looks.
const READY_PAUSE: Duration = Duration::from_millis(250);
/// The lock that keeps two migrations apart.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;
/// Hot statements find a few thousand rows by their keys among millions. A plan made while a table was small
/// would read all of it when it is large, so scans and hashes are left out, and one plan serves all batches.
const SYSTEM_OPTIONS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
                              -c plan_cache_mode=force_generic_plan -c jit=off";

/// PostgreSQL in both roles.
#[derive(Clone, Debug)]
pub struct Database {
    app: Pool,
    system: Pool,
}

impl Database {
    /// Sets up both pools; connections are opened when they are needed.
    ///
    /// # Errors
    /// Where a URL cannot be read, or the files of TLS cannot be used.
    pub fn new(config: &config::Database, tasks: &Tasks) -> anyhow::Result<Self> {
        let connector = Connector::new(config.tls.as_ref(), tasks)?;
        let pool = |url, options| pool(&connector, url, config.pool_size, options);
        let app = pool(&config.app_url, None).context("database.app_url")?;
        let system = pool(&config.system_url, Some(SYSTEM_OPTIONS)).context("database.system_url")?;
        metrics::observe_pools([("app", app.clone()), ("system", system.clone())]);
        Ok(Self { app, system })
    }

    /// Waits until PostgreSQL answers in both roles and has the schema that this build knows, or a newer one.
    ///
    /// # Errors
    /// Where that takes too long: says what is missing.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let deadline = clock::instant() + READY_WITHIN;
        while let Err(error) = self.answers().await {
            if clock::instant() >= deadline {
                return Err(error.context(format!("PostgreSQL is not ready after {READY_WITHIN:?}")));
            }
            tracing::warn!(error = format!("{error:#}"), "waiting for PostgreSQL");
            tokio::time::sleep(READY_PAUSE).await;
        }
        Ok(())
    }

    async fn answers(&self) -> anyhow::Result<()> {
        let mut client = self.app().await?;
        // No tenant has this id; what counts is that the role may begin.
        drop(TenantTx::begin(&mut client, TenantId(Uuid::nil())).await?);
        let mut client = self.system().await?;
        let there = schema_version(&SystemTx::begin(&mut client).await?).await?;
        let runner = migrations::migrations::runner();
        let wanted = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max();
        ensure!(
            Some(there) >= wanted,
            "the schema is at version {there}, not {}",
            wanted.unwrap_or_default()
        );
        Ok(())
    }

    /// A connection for tenants' calls.
    pub(crate) async fn app(&self) -> Result<Client> {
        Ok(self.app.get().await?)
    }

    /// A connection for the background loops.
    pub(crate) async fn system(&self) -> Result<Client> {
        Ok(self.system.get().await?)
    }
}

/// Connections for work on all tenants' rows.
///
/// # Errors
/// Where the URL cannot be read, or the files of TLS cannot be used.
pub(crate) fn system_pool(
    url: &SecretString,
    files: Option<&ClientFiles>,
    size: usize,
    tasks: &Tasks,
) -> anyhow::Result<Pool> {
    let connector = Connector::new(files, tasks)?;
    pool(&connector, url, size, Some(SYSTEM_OPTIONS)).context("database.system_url")
}

fn pool(
    connector: &Connector,
    url: &SecretString,
    size: usize,
    options: Option<&str>,
) -> anyhow::Result<Pool> {
    let mut config = connector.settings(url)?;
    config.application_name("muster-control-plane");
    config.connect_timeout(CONNECTION_WAIT);
    if let Some(options) = options {
        config.options(options);
    }
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Ok(Pool::builder(Manager::from_config(config, connector.tls.clone(), manager))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECTION_WAIT))
        .create_timeout(Some(CONNECTION_WAIT))
        .build()?)
}

/// A transaction that sees one tenant and nothing else. What it changes is committed only with an entry in the tenant's
/// audit log; one that only reads is dropped.
pub(crate) struct TenantTx<'a> {
    tx: Transaction<'a>,
    tenant: TenantId,
}

impl<'a> TenantTx<'a> {
    /// Begins, and names the tenant to row-level security until the end.
    pub(crate) async fn begin(client: &'a mut ClientWrapper, tenant: TenantId) -> Result<Self> {
        Self::name(client.transaction().await?, tenant).await
    }

    async fn name(tx: Transaction<'a>, tenant: TenantId) -> Result<Self> {
        let statement = tx.prepare_cached("SELECT set_config('muster.tenant_id', $1, true)").await?;
        tx.execute(&statement, &[&tenant.to_string()]).await?;
        Ok(Self { tx, tenant })
    }

    /// Commits, with `change` in the audit log.
    pub(crate) async fn commit(self, change: Change) -> Result<()> {
        change.write(&self.tx, self.tenant).await?;
        self.tx.commit().await?;
        change.recorded();
        Ok(())
    }

    /// Commits a part of a call that is in the audit log already, and will be again at its end: a later batch of an import.
    pub(crate) async fn commit_batch(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }

    /// Commits entries of the audit log that come without a change.
    pub(crate) async fn commit_entries(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

impl<'a> Deref for TenantTx<'a> {
    type Target = Transaction<'a>;
    fn deref(&self) -> &Transaction<'a> {
        &self.tx
    }
}

/// A transaction of a background loop, over all tenants.
pub(crate) struct SystemTx<'a>(Transaction<'a>);

impl<'a> SystemTx<'a> {
    /// Begins.
    pub(crate) async fn begin(client: &'a mut ClientWrapper) -> Result<Self> {
        Ok(Self(client.transaction().await?))
    }

    /// Goes on for one tenant, as statements that are only about one's own rows want it. The role stays the same.
    pub(crate) async fn narrow(self, tenant: TenantId) -> Result<TenantTx<'a>> {
        TenantTx::name(self.0, tenant).await
    }

    /// Commits.
    pub(crate) async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl<'a> Deref for SystemTx<'a> {
    type Target = Transaction<'a>;
    fn deref(&self) -> &Transaction<'a> {
        &self.0
    }
}

/// Brings the schema up to date, and lets nobody else do so meanwhile.
///
/// # Errors
/// Where PostgreSQL cannot be reached, or a migration fails; the failed one leaves nothing behind.
pub async fn migrate(config: &config::MigrateDatabase) -> anyhow::Result<()> {
    let connector = Connector::new(config.tls.as_ref(), &Tasks::default())?;
    let settings = connector.settings(&config.owner_url).context("database.owner_url")?;
    let connected = settings.connect(connector.tls).await;
    let (mut client, connection) = connected.map_err(|error| Error::Pool(Said::of(&error)))?;
    let connection = async move {
        if let Err(error) = connection.await {
            tracing::error!(error = %Said::of(&error), "the connection of the migration broke");
        }
    };
    let migration = async move {
        let locked = client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await;
        locked.map_err(Error::from)?;
        let report = migrations::migrations::runner().run_async(&mut client).await.map_err(not_migrated)?;
        for migration in report.applied_migrations() {
            tracing::info!(version = migration.version(), name = migration.name(), "migrated");
        }
        anyhow::Ok(())
    };
    let ((), migrated) = tokio::join!(connection, migration);
    migrated
}

/// The runner's error without what PostgreSQL may have quoted from rows.
fn not_migrated(error: refinery::Error) -> anyhow::Error {
    let refinery::error::Kind::Connection(what, source) = error.kind() else { return error.into() };
    match source.downcast_ref() {
        Some(source) => anyhow::Error::new(Said::of(source)).context(what.clone()),
        None => anyhow!(what.clone()),
    }
}

/// A moment, in microseconds since the Unix epoch: what PostgreSQL keeps as `timestamptz`, without a detour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(pub(crate) i64);

/// PostgreSQL counts from 2000-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

impl Micros {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(muster_runtime::clock::now_us())
    }

    /// So much later.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// So much earlier.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// As the API writes it.
    pub(crate) fn timestamp(self) -> prost_types::Timestamp {
        muster_runtime::clock::timestamp(self.0)
    }
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?) + POSTGRES_EPOCH_US))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

impl ToSql for Micros {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&(self.0 - POSTGRES_EPOCH_US).to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}
