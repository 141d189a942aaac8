//! Bringing a database's schema up to date, by the control-plane's own command.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::binaries::Binaries;
use crate::process::run_to_end;
use crate::servers::SUPERUSER;
use crate::{Postgres, RunDir, Spec};

/// Makes the database and its schema.
pub(super) async fn run(
    postgres: &Postgres,
    database: &str,
    binaries: &Binaries,
    run: &Arc<RunDir>,
) -> Result<()> {
    postgres.create_database(database, None).await?;
    let spec = Spec::new("migrate", &binaries.control_plane)
        .arg("migrate")
        .env("MUSTER_DATABASE__OWNER_URL", postgres.url(database, SUPERUSER))
        .env("MUSTER_LOG__JSON", "false");
    run_to_end(run, spec).await.context("migrate the database")
}
