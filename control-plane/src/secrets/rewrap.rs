//! Rotation of the KEK: every data key is wrapped again under the current one. No secret is opened and no sealed value
//! touched.
//!
//! It may run twice at once, beside services that write accounts, and be killed at any point: an account is written
//! only if it still is what was read, and what is under the current KEK is left alone.

use anyhow::ensure;
use deadpool_postgres::Pool;
use muster_runtime::supervise::Tasks;
use uuid::Uuid;

use super::envelope;
use super::kek::{KeyWrapper, Keys};
use crate::config;
use crate::db::{self, SystemTx};
use crate::store::Page;
use crate::store::accounts::{Account, account_rewrap, accounts_by_kek, accounts_to_rewrap};

/// Accounts in one transaction.
const BATCH: i64 = 100;
/// Passes over all accounts at most; there is another one where accounts were changed meanwhile.
const PASSES_MAX: usize = 10;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    rewrapped: u64,
    changed_meanwhile: u64,
}

/// Wraps the data keys of all accounts under the current KEK.
///
/// # Errors
/// Where PostgreSQL does not answer, or some are left under another KEK: says how many under which.
pub async fn rewrap(config: config::Rewrap) -> anyhow::Result<()> {
    let keys = Keys::read(&config.kek)?;
    let tasks = Tasks::default();
    let config::RewrapDatabase { system_url, tls } = &config.database;
    let pool = db::system_pool(system_url, tls.as_ref(), 1, &tasks)?;
    let mut rewrapped = 0;
    for _ in 0..PASSES_MAX {
        let pass = pass(&pool, &keys).await?;
        rewrapped += pass.rewrapped;
        if pass.changed_meanwhile == 0 {
            break;
        }
    }
    tracing::info!(kek = keys.current(), "{rewrapped} accounts were re-wrapped");
    let left = left(&pool, keys.current()).await?;
    ensure!(left.is_empty(), "left under another KEK: {}", left.join(", "));
    Ok(())
}

async fn pass(pool: &Pool, keys: &Keys) -> anyhow::Result<Pass> {
    let (mut done, mut page) = (Pass::default(), Page { after: Uuid::nil(), limit: BATCH });
    loop {
        let accounts = {
            let mut client = pool.get().await.map_err(db::Error::from)?;
            let tx = SystemTx::begin(&mut client).await?;
            accounts_to_rewrap(&tx, keys.current(), &page).await?
        };
        let Some(last) = accounts.last() else { return Ok(done) };
        page.after = last.id;
        let batch = batch(pool, keys, &accounts).await?;
        done.rewrapped += batch.rewrapped;
        done.changed_meanwhile += batch.changed_meanwhile;
    }
}

async fn batch(pool: &Pool, keys: &Keys, accounts: &[Account]) -> anyhow::Result<Pass> {
    let mut wrapped = Vec::with_capacity(accounts.len());
    for account in accounts {
        match envelope::rewrap(keys, &account.name(), &account.sealed).await {
            Ok(sealed) => wrapped.push((account, sealed)),
            Err(error) => tracing::error!(account = account.name(), %error, "secrets cannot be re-wrapped"),
        }
    }
    let mut client = pool.get().await.map_err(db::Error::from)?;
    let tx = SystemTx::begin(&mut client).await?;
    let mut done = Pass::default();
    for (account, sealed) in wrapped {
        if account_rewrap(&tx, account, &sealed).await? {
            done.rewrapped += 1;
        } else {
            done.changed_meanwhile += 1;
        }
    }
    tx.commit().await?;
    Ok(done)
}

/// How many accounts are under which other KEK than the current one.
async fn left(pool: &Pool, current: &str) -> anyhow::Result<Vec<String>> {
    let mut client = pool.get().await.map_err(db::Error::from)?;
    let tx = SystemTx::begin(&mut client).await?;
    let all = accounts_by_kek(&tx).await?.into_iter();
    let left = all.filter(|under| under.example.sealed.kek_id != current);
    Ok(left.map(|under| format!("{} under `{}`", under.accounts, under.example.sealed.kek_id)).collect())
}
