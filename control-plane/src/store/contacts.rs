//! Contact lists, their contacts, and the rows that could not become one.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::{Page, execute, query, query_one, query_opt};

/// A contact list.
pub(crate) struct ContactList {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    pub(crate) contact_count: i64,
    pub(crate) rejected_row_count: i64,
    pub(crate) create_time: Micros,
    /// When the erasing of its contacts began.
    pub(crate) erase_time: Option<Micros>,
}

impl From<Row> for ContactList {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            display_name: row.get("display_name"),
            contact_count: row.get("contact_count"),
            rejected_row_count: row.get("rejected_row_count"),
            create_time: row.get("create_time"),
            erase_time: row.get("erase_time"),
        }
    }
}

/// A contact's columns by name.
pub(crate) type Fields = HashMap<String, String>;

/// One person of a list.
pub(crate) struct Contact {
    pub(crate) id: Uuid,
    pub(crate) phone: String,
    pub(crate) fields: Fields,
}

impl From<Row> for Contact {
    fn from(row: Row) -> Self {
        let Json(fields) = row.get("fields");
        Self { id: row.get("id"), phone: row.get("phone"), fields }
    }
}

/// A row that could not become a contact.
pub(crate) struct RejectedRow {
    pub(crate) id: Uuid,
    pub(crate) line: i64,
    pub(crate) reason: String,
    pub(crate) content: String,
    pub(crate) create_time: Micros,
}

pub(crate) async fn contact_list_insert(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    id: Uuid,
    display_name: &str,
) -> Result<ContactList> {
    let sql = include_str!("contacts/contact_list_insert.sql");
    Ok(query_one(tx, sql, &[&id, &tenant, &display_name]).await?.into())
}

pub(crate) async fn contact_list_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<ContactList>> {
    let sql = include_str!("contacts/contact_list_get.sql");
    Ok(query_opt(tx, sql, &[&id]).await?.map(ContactList::from))
}

pub(crate) async fn contact_lists_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<ContactList>> {
    let sql = include_str!("contacts/contact_lists_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(ContactList::from).collect())
}

/// How many lists the tenant has.
pub(crate) async fn contact_lists_count(tx: &Transaction<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("contacts/contact_lists_count.sql"), &[&tenant]).await?.get(0))
}

/// A list that nobody else adds to, and nobody erases, until this transaction ends.
pub(crate) async fn contact_list_lock(tx: &TenantTx<'_>, list: Uuid) -> Result<ContactList> {
    Ok(query_one(tx, include_str!("contacts/contact_list_lock.sql"), &[&list]).await?.into())
}

/// Those of `phones` that the list has already.
pub(crate) async fn contacts_known(
    tx: &TenantTx<'_>,
    list: Uuid,
    phones: &[&str],
) -> Result<HashSet<String>> {
    let rows = query(tx, include_str!("contacts/contacts_known.sql"), &[&list, &phones]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Adds contacts to a list, in the order of their ids. Returns the ids of those that were new; the others' phone
/// numbers are in the list already.
pub(crate) async fn contacts_insert(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    list: Uuid,
    contacts: &[Contact],
) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = contacts.iter().map(|contact| contact.id).collect();
    let phones: Vec<&str> = contacts.iter().map(|contact| contact.phone.as_str()).collect();
    let fields: Vec<Json<&Fields>> = contacts.iter().map(|contact| Json(&contact.fields)).collect();
    let sql = include_str!("contacts/contacts_insert.sql");
    let rows = query(tx, sql, &[&tenant, &list, &ids, &phones, &fields]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

pub(crate) async fn rejected_rows_insert(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    list: Uuid,
    rows: &[RejectedRow],
) -> Result<()> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
    let reasons: Vec<&str> = rows.iter().map(|row| row.reason.as_str()).collect();
    let contents: Vec<&str> = rows.iter().map(|row| row.content.as_str()).collect();
    let sql = include_str!("contacts/rejected_rows_insert.sql");
    execute(tx, sql, &[&tenant, &list, &ids, &lines, &reasons, &contents]).await?;
    Ok(())
}

pub(crate) async fn contact_list_count(
    tx: &TenantTx<'_>,
    list: Uuid,
    imported: i64,
    rejected: i64,
) -> Result<()> {
    let sql = include_str!("contacts/contact_list_count.sql");
    execute(tx, sql, &[&list, &imported, &rejected]).await?;
    Ok(())
}

pub(crate) async fn contacts_list(tx: &TenantTx<'_>, list: Uuid, page: &Page<Uuid>) -> Result<Vec<Contact>> {
    let sql = include_str!("contacts/contacts_list.sql");
    Ok(query(tx, sql, &[&list, &page.after, &page.limit]).await?.into_iter().map(Contact::from).collect())
}

/// The contacts that the planner deals with next.
pub(crate) async fn contacts_to_plan(
    tx: &SystemTx<'_>,
    list: Uuid,
    page: &Page<Uuid>,
) -> Result<Vec<Contact>> {
    let sql = include_str!("contacts/contacts_list.sql");
    Ok(query(tx, sql, &[&list, &page.after, &page.limit]).await?.into_iter().map(Contact::from).collect())
}

pub(crate) async fn rejected_rows_list(
    tx: &TenantTx<'_>,
    list: Uuid,
    page: &Page<Uuid>,
) -> Result<Vec<RejectedRow>> {
    let sql = include_str!("contacts/rejected_rows_list.sql");
    let rows = query(tx, sql, &[&list, &page.after, &page.limit]).await?;
    let rejected = rows.into_iter().map(|row| RejectedRow {
        id: row.get("id"),
        line: row.get("line"),
        reason: row.get("reason"),
        content: row.get("content"),
        create_time: row.get("create_time"),
    });
    Ok(rejected.collect())
}
