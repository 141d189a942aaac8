//! Routes: which provider accounts a tenant's texts go through.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::{Page, execute, query, query_one, query_opt};

/// What kind of message a text is, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum Kind {
    Sms = 1,
    Mms = 2,
}

impl Kind {
    /// All there are.
    pub(crate) const ALL: [Self; 2] = [Self::Sms, Self::Mms];

    /// What a text with or without media is.
    pub(crate) fn of(has_media: bool) -> Self {
        if has_media { Self::Mms } else { Self::Sms }
    }
}

/// What becomes of texts that wait for an account whose provider does not answer, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum WhenDown {
    Wait = 1,
    Move = 2,
}

/// A way for a tenant's texts.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) id: Uuid,
    pub(crate) account: Uuid,
    /// The lower comes first.
    pub(crate) priority: i16,
    pub(crate) weight: i16,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) when_down: WhenDown,
    pub(crate) create_time: Micros,
}

impl Route {
    fn kind_codes(&self) -> Vec<i16> {
        self.kinds.iter().map(|kind| *kind as i16).collect()
    }
}

impl From<Row> for Route {
    fn from(row: Row) -> Self {
        let kinds: Vec<i16> = row.get("kinds");
        let moves = row.get::<_, i16>("when_down") == WhenDown::Move as i16;
        Self {
            id: row.get("id"),
            account: row.get("account_id"),
            priority: row.get("priority"),
            weight: row.get("weight"),
            kinds: Kind::ALL.into_iter().filter(|kind| kinds.contains(&(*kind as i16))).collect(),
            when_down: if moves { WhenDown::Move } else { WhenDown::Wait },
            create_time: row.get("create_time"),
        }
    }
}

/// Inserts a route; a unique violation where its account has one.
pub(crate) async fn route_insert(tx: &TenantTx<'_>, tenant: Uuid, route: &Route) -> Result<()> {
    let sql = include_str!("routes/route_insert.sql");
    let Route { id, account, priority, weight, when_down, create_time, .. } = route;
    let (kinds, when_down) = (route.kind_codes(), *when_down as i16);
    execute(tx, sql, &[id, &tenant, account, priority, weight, &kinds, &when_down, create_time]).await?;
    Ok(())
}

pub(crate) async fn route_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Route>> {
    Ok(query_opt(tx, include_str!("routes/route_get.sql"), &[&id]).await?.map(Route::from))
}

/// A route, locked against other changes.
pub(crate) async fn route_lock(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Route>> {
    Ok(query_opt(tx, include_str!("routes/route_lock.sql"), &[&id]).await?.map(Route::from))
}

pub(crate) async fn routes_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Route>> {
    let sql = include_str!("routes/routes_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Route::from).collect())
}

pub(crate) async fn route_update(tx: &TenantTx<'_>, route: &Route) -> Result<()> {
    let sql = include_str!("routes/route_update.sql");
    let (kinds, when_down) = (route.kind_codes(), route.when_down as i16);
    execute(tx, sql, &[&route.id, &route.priority, &route.weight, &kinds, &when_down]).await?;
    Ok(())
}

pub(crate) async fn route_delete(tx: &TenantTx<'_>, id: Uuid) -> Result<()> {
    execute(tx, include_str!("routes/route_delete.sql"), &[&id]).await?;
    Ok(())
}

/// Whether any number of a pool may send this kind of message.
pub(crate) async fn pool_carries(tx: &TenantTx<'_>, pool: Uuid, kind: Kind) -> Result<bool> {
    let sql = include_str!("routes/pool_carries.sql");
    Ok(query_one(tx, sql, &[&pool, &(kind as i16)]).await?.get(0))
}

/// All routes of a tenant, for the loops.
pub(crate) async fn routes_of(tx: &SystemTx<'_>, tenant: Uuid) -> Result<Vec<Route>> {
    let sql = include_str!("routes/routes_of.sql");
    Ok(query(tx, sql, &[&tenant]).await?.into_iter().map(Route::from).collect())
}
