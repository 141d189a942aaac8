//! Bringing a database's schema up to date, by the control-plane's own command.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::Ground;
use crate::binaries::Binaries;
use crate::process::run_to_end;
use crate::servers::SUPERUSER;
use crate::{RunDir, Spec};

/// Makes the database and its schema.
pub(super) async fn run(
    ground: &Ground,
    database: &str,
    binaries: &Binaries,
    run: &Arc<RunDir>,
) -> Result<()> {
    ground.postgres().create_database(database, None).await?;
    let spec = Spec::new("migrate", &binaries.control_plane)
        .arg("migrate")
        .env("MUSTER_DATABASE__OWNER_URL", ground.database_url(database, SUPERUSER))
        .envs(ground.database_tls())
        .env("MUSTER_LOG__JSON", "false");
    run_to_end(run, spec).await.context("migrate the database")
}
