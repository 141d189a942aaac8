//! Provider accounts, their secrets sealed.

use std::fmt;

use muster_runtime::key::KeyHash;
use muster_runtime::name;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::secrets::Sealed;
use crate::store::{Page, execute, query, query_one, query_opt};

/// The form of an account's resource name.
pub(crate) const PATTERN: &str = "tenants/*/providerAccounts/*";

/// A tenant's account at a provider. `Debug` shows little of it.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) display_name: String,
    pub(crate) provider: i16,
    pub(crate) account_sid: String,
    pub(crate) api_user: String,
    pub(crate) application_id: String,
    pub(crate) base_url: Option<String>,
    pub(crate) create_time: Micros,
    pub(crate) sealed: Sealed,
}

/// The accounts that are sealed under one KEK.
pub(crate) struct UnderKek {
    /// How many there are.
    pub(crate) accounts: i64,
    /// One of them.
    pub(crate) example: Account,
}

impl Account {
    /// Its resource name, which its secrets are bound to.
    pub(crate) fn name(&self) -> String {
        name::format(PATTERN, &[self.tenant, self.id])
    }
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
            api_user: row.get("api_user"),
            application_id: row.get("application_id"),
            base_url: row.get("base_url"),
            create_time: row.get("create_time"),
            sealed: Sealed { kek_id: row.get("kek_id"), bytes: row.get("sealed_secrets") },
        }
    }
}

pub(crate) async fn account_insert(tx: &TenantTx<'_>, account: &Account, token: KeyHash) -> Result<()> {
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
            &account.api_user,
            &account.application_id,
            &account.base_url,
            &account.create_time,
            &account.sealed.kek_id,
            &account.sealed.bytes,
            &&token.0[..],
        ],
    )
    .await?;
    Ok(())
}

/// Writes an account if its secrets still are sealed as they were when it was read, and says whether they were: every
/// write seals them anew, so this is whether nobody has written it since.
pub(crate) async fn account_update(tx: &TenantTx<'_>, account: &Account, read: &Sealed) -> Result<bool> {
    let sql = include_str!("accounts/account_update.sql");
    let updated = execute(
        tx,
        sql,
        &[
            &account.id,
            &account.display_name,
            &account.account_sid,
            &account.api_user,
            &account.application_id,
            &account.base_url,
            &account.sealed.kek_id,
            &account.sealed.bytes,
            &read.bytes,
        ],
    )
    .await?;
    Ok(updated == 1)
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

/// The account whose webhook path has a token of this hash, for our own processes.
pub(crate) async fn account_by_webhook_token(tx: &SystemTx<'_>, token: KeyHash) -> Result<Option<Account>> {
    let sql = include_str!("accounts/account_by_webhook_token.sql");
    Ok(query_opt(tx, sql, &[&&token.0[..]]).await?.map(Account::from))
}

/// Under which KEKs accounts of all tenants are sealed.
pub(crate) async fn accounts_by_kek(tx: &SystemTx<'_>) -> Result<Vec<UnderKek>> {
    let rows = query(tx, include_str!("accounts/accounts_by_kek.sql"), &[]).await?;
    let under = |row: Row| UnderKek { accounts: row.get("accounts"), example: row.into() };
    Ok(rows.into_iter().map(under).collect())
}

/// Accounts of all tenants, in the order of their ids, that are sealed under another KEK than `current`.
pub(crate) async fn accounts_to_rewrap(
    tx: &SystemTx<'_>,
    current: &str,
    page: &Page<Uuid>,
) -> Result<Vec<Account>> {
    let sql = include_str!("accounts/accounts_to_rewrap.sql");
    let rows = query(tx, sql, &[&current, &page.after, &page.limit]).await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Writes an account's secrets as they are sealed now, if they still are sealed as `account` has them.
pub(crate) async fn account_rewrap(tx: &SystemTx<'_>, account: &Account, now: &Sealed) -> Result<bool> {
    let sql = include_str!("accounts/account_rewrap.sql");
    let written = execute(tx, sql, &[&account.id, &now.kek_id, &now.bytes, &account.sealed.bytes]).await?;
    Ok(written == 1)
}

/// How many accounts the tenant has.
pub(crate) async fn accounts_count(tx: &TenantTx<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("accounts/accounts_count.sql"), &[&tenant]).await?.get(0))
}
