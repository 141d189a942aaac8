//! Every statement, one function each, grouped by noun; the SQL is in the `.sql` files beside them. No other
//! module speaks SQL. Whoever calls holds a transaction, and so decides what is committed together.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::db::Result;

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod campaigns;
pub(crate) mod claims;
pub(crate) mod conditions;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod inquiries;
pub(crate) mod keys;
pub(crate) mod media;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod moves;
pub(crate) mod numbers;
pub(crate) mod outbox;
pub(crate) mod plans;
pub(crate) mod progress;
pub(crate) mod projections;
pub(crate) mod purge;
pub(crate) mod queue;
pub(crate) mod receipts;
pub(crate) mod replies;
pub(crate) mod retention;
pub(crate) mod roles;
pub(crate) mod routes;
pub(crate) mod schema;
pub(crate) mod tenants;
pub(crate) mod texts;
pub(crate) mod transitions;
pub(crate) mod watchers;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

async fn query(tx: &Transaction<'_>, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query(&statement, parameters).await?)
}

async fn query_opt(tx: &Transaction<'_>, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query_opt(&statement, parameters).await?)
}

async fn query_one(tx: &Transaction<'_>, sql: &str, parameters: Parameters<'_>) -> Result<Row> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.query_one(&statement, parameters).await?)
}

async fn execute(tx: &Transaction<'_>, sql: &str, parameters: Parameters<'_>) -> Result<u64> {
    let statement = tx.prepare_cached(sql).await?;
    Ok(tx.execute(&statement, parameters).await?)
}

/// One page of a list: what lies after `after`, `limit` rows at most.
#[derive(Clone, Debug)]
pub(crate) struct Page<K> {
    /// The key that the page begins after.
    pub(crate) after: K,
    /// How many rows at most.
    pub(crate) limit: i64,
}
