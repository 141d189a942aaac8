//! PostgreSQL: two pools in two roles, and the two kinds of transaction. A tenant's rows can be reached only
//! through [`TenantTx`], which names the tenant to row-level security for as long as it lasts.

use std::ops::Deref;
use std::time::Duration;

use anyhow::Context as _;
use deadpool_postgres::{
    Client, ClientWrapper, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Transaction,
};
use muster_domain::id::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::config;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// How long a call waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// The lock that keeps two migrations apart.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;
/// Hot statements find a few thousand rows by their keys among millions. A plan made while a table was small
/// would read all of it when it is large, so scans and hashes are left out, and one plan serves all batches.
const SYSTEM_OPTIONS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
                              -c plan_cache_mode=force_generic_plan -c jit=off";

/// What can go wrong between us and PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[from] tokio_postgres::Error),
    /// No connection was to be had.
    #[error("no connection to PostgreSQL")]
    Pool(#[from] PoolError),
}

impl Error {
    /// Whether a unique constraint was in the way.
    pub fn is_unique_violation(&self) -> bool {
        self.has_code(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether something that was referred to is not there.
    pub fn is_foreign_key_violation(&self) -> bool {
        self.has_code(&SqlState::FOREIGN_KEY_VIOLATION)
    }

    fn has_code(&self, code: &SqlState) -> bool {
        match self {
            Self::Statement(error) => error.code() == Some(code),
            Self::Pool(_) => false,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        muster_runtime::Error::from(error).into()
    }
}

impl From<Error> for muster_runtime::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Pool(_) => Self::unavailable(error),
            // Deadlocks, time-outs and lost connections pass; the rest are faults of ours.
            Error::Statement(statement) => match statement.code() {
                None
                | Some(&SqlState::T_R_DEADLOCK_DETECTED)
                | Some(&SqlState::QUERY_CANCELED)
                | Some(&SqlState::LOCK_NOT_AVAILABLE)
                | Some(&SqlState::ADMIN_SHUTDOWN) => Self::unavailable(error),
                Some(_) => Self::internal(error),
            },
        }
    }
}

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
    /// Where a URL cannot be read.
    pub fn new(config: &config::Database) -> anyhow::Result<Self> {
        Ok(Self {
            app: pool(&config.app_url, config.pool_size, None).context("database.app_url")?,
            system: pool(&config.system_url, config.pool_size, Some(SYSTEM_OPTIONS))
                .context("database.system_url")?,
        })
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

fn pool(url: &SecretString, size: usize, options: Option<&str>) -> anyhow::Result<Pool> {
    let mut config: tokio_postgres::Config = url.expose_secret().parse()?;
    config.application_name("muster-control-plane");
    config.connect_timeout(CONNECTION_WAIT);
    if let Some(options) = options {
        config.options(options);
    }
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Ok(Pool::builder(Manager::from_config(config, NoTls, manager))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECTION_WAIT))
        .create_timeout(Some(CONNECTION_WAIT))
        .build()?)
}

/// A transaction that sees one tenant and nothing else.
pub(crate) struct TenantTx<'a>(Transaction<'a>);

impl<'a> TenantTx<'a> {
    /// Begins, and names the tenant to row-level security until the end.
    pub(crate) async fn begin(client: &'a mut ClientWrapper, tenant: TenantId) -> Result<Self> {
        let tx = client.transaction().await?;
        let statement = tx.prepare_cached("SELECT set_config('muster.tenant_id', $1, true)").await?;
        tx.execute(&statement, &[&tenant.to_string()]).await?;
        Ok(Self(tx))
    }

    /// Commits.
    pub(crate) async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl<'a> Deref for TenantTx<'a> {
    type Target = Transaction<'a>;
    fn deref(&self) -> &Transaction<'a> {
        &self.0
    }
}

/// A transaction of a background loop, over all tenants.
pub(crate) struct SystemTx<'a>(Transaction<'a>);

impl<'a> SystemTx<'a> {
    /// Begins.
    pub(crate) async fn begin(client: &'a mut ClientWrapper) -> Result<Self> {
        Ok(Self(client.transaction().await?))
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
pub async fn migrate(url: &SecretString) -> anyhow::Result<()> {
    let (mut client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await?;
    let connection = async move {
        if let Err(error) = connection.await {
            tracing::error!(%error, "the connection of the migration broke");
        }
    };
    let migration = async move {
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        let report = migrations::migrations::runner().run_async(&mut client).await?;
        for migration in report.applied_migrations() {
            tracing::info!(version = migration.version(), name = migration.name(), "migrated");
        }
        anyhow::Ok(())
    };
    let ((), migrated) = tokio::join!(connection, migration);
    migrated
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
