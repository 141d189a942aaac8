//! PostgreSQL: a cluster of its own in the run's folder, trusted logins on loopback, tuned for our load.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio_postgres::NoTls;

use crate::devtools::{self, Found};
use crate::process::{self, Process, Ready, Signal, Spec, Usage};
use crate::run_dir::{RunDir, free_port};

/// The database that every cluster has, to make others from.
pub const MAINTENANCE_DATABASE: &str = "postgres";
/// The role that may do everything.
pub const SUPERUSER: &str = "postgres";

const START_WITHIN: Duration = Duration::from_secs(60);
/// A shutdown writes a checkpoint; of a benchmark's gigabytes if need be.
const STOP_WITHIN: Duration = Duration::from_secs(60);

const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    // A path to a socket may have 107 bytes only, too few for some target folders.
    ("unix_socket_directories", ""),
    // In a file of the cluster: a container's /dev/shm is small, and a killed server would leave it filled.
    ("dynamic_shared_memory_type", "mmap"),
    ("max_connections", "200"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    // English, so that readiness can be read off the log.
    ("lc_messages", "C"),
    ("timezone", "UTC"),
];

const DURABLE: &[(&str, &str)] = &[("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];
const FAST: &[(&str, &str)] = &[("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];

/// How to run it.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Whether a commit survives a power cut, as in production; otherwise only a kill -9.
    pub durable: bool,
    /// The port to listen on; a free one if not said.
    pub port: Option<u16>,
    /// More settings, as `(name, value)`; they win over ours.
    pub settings: Vec<(String, String)>,
    /// The programs to use; found or fetched if not said.
    pub programs: Option<Found>,
}

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    version: String,
    programs: PathBuf,
}

impl Postgres {
    /// Makes a new cluster in the run's folder and starts it; ready for connections when this returns.
    pub async fn start(run: &Arc<RunDir>, options: PostgresOptions) -> Result<Self> {
        let found = match options.programs.clone() {
            Some(found) => found,
            None => tokio::task::spawn_blocking(devtools::postgres).await??,
        };
        let port = options.port.map_or_else(free_port, Ok)?;
        let name = format!("postgres-{port}");
        let data = run.path().join(format!("{name}-data"));
        process::create_folder(&data)?;
        process::run_to_end(run, initdb(&found.path, &data)).await?;
        let process = Process::start(run, server(name, &found.path, &data, port, &options)).await?;
        Ok(Self { process, port, version: found.version, programs: found.path })
    }

    /// Where a client connects to; no password is needed.
    #[must_use]
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its programs call themselves, for instance `18.6`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A connection as superuser, driven by a task of its own until the client is dropped.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client> {
        let url = self.url(database, SUPERUSER);
        let (client, connection) = tokio_postgres::connect(&url, NoTls)
            .await
            .with_context(|| format!("cannot connect to database {database}"))?;
        tokio::spawn(async move {
            // The client sees the same error from its next statement.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Makes a database, empty or a copy of `template` (to which nobody may be connected meanwhile).
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let template = template.unwrap_or("template1");
        for word in [name, template] {
            let plain =
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            ensure!(plain && !word.is_empty(), "not a plain database name: {word:?}");
        }
        let client = self.connect(MAINTENANCE_DATABASE).await?;
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        client.batch_execute(&statement).await.with_context(|| format!("cannot create database {name}"))
    }

    /// Dumps a database with pg_dump, as SQL, and restores it from another dump with pg_restore, as `restored`. The SQL;
    /// none where the programs of this PostgreSQL are the server's alone, as they are where it was fetched.
    pub async fn dump(&self, run: &Arc<RunDir>, database: &str, restored: &str) -> Result<Option<Vec<u8>>> {
        if !["pg_dump", "pg_restore"].iter().all(|name| self.programs.join(name).is_file()) {
            return Ok(None);
        }
        let [sql, archive] = ["sql", "archive"].map(|kind| run.path().join(format!("{database}.{kind}")));
        let program = |name: &str, database: &str| {
            let mut spec = Spec::new(name, self.programs.join(name))
                .arg("--dbname")
                .arg(self.url(database, SUPERUSER))
                .ready_within(START_WITHIN);
            spec.dropped_env_prefixes.push("PG");
            spec
        };
        for (format, file) in [("plain", &sql), ("custom", &archive)] {
            let dump = program("pg_dump", database).args(["--format", format, "--file"]).arg(file);
            process::run_to_end(run, dump).await?;
        }
        self.create_database(restored, None).await?;
        process::run_to_end(run, program("pg_restore", restored).arg("--exit-on-error").arg(archive)).await?;
        Ok(Some(std::fs::read(sql)?))
    }

    /// kill -9, to the server and all its backends. When this returns they are gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.process.kill9().await
    }

    /// Starts it with the same port and data: after a kill, or after ending it in order.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_running() {
            self.process.terminate(STOP_WITHIN).await?;
        }
        self.process.start_again().await
    }

    /// The id of the server's main process; an error when it does not run.
    pub fn pid(&self) -> Result<u32> {
        self.process.pid()
    }

    /// The ids of the main process and all its backends.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.process.pids()
    }

    /// CPU and memory of the whole server, over its restarts and with the backends that have ended.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// The process itself: pause, resume, log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn initdb(bin_dir: &Path, data: &Path) -> Spec {
    let mut spec = Spec::new("initdb", bin_dir.join("initdb"))
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"])
        .args(["--username", SUPERUSER, "--pgdata"])
        .arg(data)
        .ready_within(START_WITHIN);
    spec.refuses_root = true;
    spec.dropped_env_prefixes.push("PG");
    spec
}

fn server(name: String, bin_dir: &Path, data: &Path, port: u16, options: &PostgresOptions) -> Spec {
    let durability = if options.durable { DURABLE } else { FAST };
    let ours = SETTINGS.iter().chain(durability).map(|(name, value)| format!("{name}={value}"));
    let theirs = options.settings.iter().map(|(name, value)| format!("{name}={value}"));
    let mut spec = Spec::new(name, bin_dir.join("postgres"))
        .arg("-D")
        .arg(data)
        .args(["-p".to_owned(), port.to_string()])
        .args(ours.chain(theirs).flat_map(|setting| ["-c".to_owned(), setting]))
        .ready(Ready::Line("database system is ready to accept connections".into()))
        .ready_within(START_WITHIN);
    spec.refuses_root = true;
    spec.dropped_env_prefixes.push("PG");
    // "Fast": clients are cut off, the data is left clean.
    spec.stop = Signal::INT;
    // "Immediate": unlike KILL it also ends backends that are busy and gives the shared memory back. Nobody will
    // read the data again.
    spec.on_parent_death = Signal::QUIT;
    spec.on_drop = Signal::QUIT;
    spec
}
