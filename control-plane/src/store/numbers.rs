//! Number pools and phone numbers.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::{Page, execute, query, query_one, query_opt};

/// A number pool.
pub(crate) struct NumberPool {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    pub(crate) phone_number_count: i64,
    pub(crate) create_time: Micros,
}

impl From<Row> for NumberPool {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            display_name: row.get("display_name"),
            phone_number_count: row.get("phone_number_count"),
            create_time: row.get("create_time"),
        }
    }
}

/// A phone number that texts are sent from.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) id: Uuid,
    pub(crate) pool: Uuid,
    pub(crate) account: Uuid,
    pub(crate) phone: String,
    pub(crate) kind: i16,
    pub(crate) segments_per_second: f64,
    pub(crate) create_time: Micros,
    /// Until when nothing is ordered from it, because a daily cap was reached; long ago where none was.
    pub(crate) hold_time: Micros,
}

impl From<Row> for Number {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            pool: row.get("pool_id"),
            account: row.get("account_id"),
            phone: row.get("phone"),
            kind: row.get("type"),
            segments_per_second: row.get("segments_per_second"),
            create_time: row.get("create_time"),
            hold_time: row.get("hold_time"),
        }
    }
}

pub(crate) async fn pool_insert(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    id: Uuid,
    display_name: &str,
) -> Result<NumberPool> {
    let sql = include_str!("numbers/pool_insert.sql");
    Ok(query_one(tx, sql, &[&id, &tenant, &display_name]).await?.into())
}

pub(crate) async fn pool_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<NumberPool>> {
    Ok(query_opt(tx, include_str!("numbers/pool_get.sql"), &[&id]).await?.map(NumberPool::from))
}

pub(crate) async fn pools_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<NumberPool>> {
    let sql = include_str!("numbers/pools_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(NumberPool::from).collect())
}

pub(crate) async fn numbers_insert(tx: &TenantTx<'_>, tenant: Uuid, numbers: &[Number]) -> Result<()> {
    let ids: Vec<Uuid> = numbers.iter().map(|number| number.id).collect();
    let pools: Vec<Uuid> = numbers.iter().map(|number| number.pool).collect();
    let accounts: Vec<Uuid> = numbers.iter().map(|number| number.account).collect();
    let phones: Vec<&str> = numbers.iter().map(|number| number.phone.as_str()).collect();
    let kinds: Vec<i16> = numbers.iter().map(|number| number.kind).collect();
    let rates: Vec<f64> = numbers.iter().map(|number| number.segments_per_second).collect();
    let times: Vec<Micros> = numbers.iter().map(|number| number.create_time).collect();
    let sql = include_str!("numbers/numbers_insert.sql");
    execute(tx, sql, &[&tenant, &ids, &pools, &accounts, &phones, &kinds, &rates, &times]).await?;
    Ok(())
}

pub(crate) async fn number_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Number>> {
    Ok(query_opt(tx, include_str!("numbers/number_get.sql"), &[&id]).await?.map(Number::from))
}

pub(crate) async fn numbers_list(tx: &TenantTx<'_>, pool: Uuid, page: &Page<Uuid>) -> Result<Vec<Number>> {
    let sql = include_str!("numbers/numbers_list.sql");
    Ok(query(tx, sql, &[&pool, &page.after, &page.limit]).await?.into_iter().map(Number::from).collect())
}

/// All numbers of a pool, in the order of their ids.
pub(crate) async fn pool_numbers(tx: &SystemTx<'_>, pool: Uuid) -> Result<Vec<Number>> {
    let sql = include_str!("numbers/pool_numbers.sql");
    Ok(query(tx, sql, &[&pool]).await?.into_iter().map(Number::from).collect())
}

/// Holds the numbers of messages until the times that go with them.
pub(crate) async fn numbers_hold(tx: &SystemTx<'_>, messages: &[Uuid], until: &[Micros]) -> Result<()> {
    execute(tx, include_str!("numbers/numbers_hold.sql"), &[&messages, &until]).await?;
    Ok(())
}

/// How many pools the tenant has.
pub(crate) async fn pools_count(tx: &TenantTx<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("numbers/pools_count.sql"), &[&tenant]).await?.get(0))
}

/// How many phone numbers the tenant has.
pub(crate) async fn numbers_count(tx: &TenantTx<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("numbers/numbers_count.sql"), &[&tenant]).await?.get(0))
}
