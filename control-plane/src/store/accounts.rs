//! Provider accounts.

use std::fmt;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::{Page, execute, query, query_opt};

/// A tenant's account at a provider. `Debug` hides the secrets.
pub(crate) struct Account {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) display_name: String,
    pub(crate) provider: i16,
    pub(crate) account_sid: String,
    pub(crate) api_secret: String,
    pub(crate) webhook_key: String,
    pub(crate) base_url: Option<String>,
    pub(crate) webhook_token: String,
    pub(crate) create_time: Micros,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            tenant: row.get("tenant_id"),
            display_name: row.get("display_name"),
            provider: row.get("provider"),
            account_sid: row.get("account_sid"),
            api_secret: row.get("api_secret"),
            webhook_key: row.get("webhook_key"),
            base_url: row.get("base_url"),
            webhook_token: row.get("webhook_token"),
            create_time: row.get("create_time"),
        }
    }
}

pub(crate) async fn account_insert(tx: &TenantTx<'_>, account: &Account) -> Result<()> {
    let sql = include_str!("accounts/account_insert.sql");
    execute(
        tx,
        sql,
        &[
            &account.id,
            &account.tenant,
            &account.display_name,
            &account.provider,
            &account.account_sid,
            &account.api_secret,
            &account.webhook_key,
            &account.base_url,
            &account.webhook_token,
            &account.create_time,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn account_update(tx: &TenantTx<'_>, account: &Account) -> Result<()> {
    let sql = include_str!("accounts/account_update.sql");
    execute(
        tx,
        sql,
        &[
            &account.id,
            &account.display_name,
            &account.account_sid,
            &account.api_secret,
            &account.webhook_key,
            &account.base_url,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn account_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Account>> {
    Ok(query_opt(tx, include_str!("accounts/account_get.sql"), &[&id]).await?.map(Account::from))
}

pub(crate) async fn accounts_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Account>> {
    let sql = include_str!("accounts/accounts_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Account::from).collect())
}

/// The account of any tenant, for our own processes.
pub(crate) async fn account_of_any_tenant(tx: &SystemTx<'_>, id: Uuid) -> Result<Option<Account>> {
    Ok(query_opt(tx, include_str!("accounts/account_get.sql"), &[&id]).await?.map(Account::from))
}

/// The account that a webhook path belongs to, for our own processes.
pub(crate) async fn account_by_webhook_token(tx: &SystemTx<'_>, token: &str) -> Result<Option<Account>> {
    let sql = include_str!("accounts/account_by_webhook_token.sql");
    Ok(query_opt(tx, sql, &[&token]).await?.map(Account::from))
}
