//! The schema itself.

use crate::db::{Result, SystemTx};
use crate::store::query_one;

/// The newest migration that was applied; 0 where there is none yet.
pub(crate) async fn schema_version(tx: &SystemTx<'_>) -> Result<i64> {
    Ok(query_one(tx, include_str!("schema/schema_version.sql"), &[]).await?.get(0))
}
