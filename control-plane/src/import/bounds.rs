//! The bounds of an import: rows in one file, and contacts in one list. It stops at the first row that would go beyond,
//! keeps all rows before it, and says how many these were: so it can go on from there with the rest.

use std::collections::HashSet;

use muster_runtime::Error;
use tonic::Status;

use super::{Tally, Target, len, write_batch};
use crate::audit::Change;
use crate::db::{Database, TenantTx};
use crate::import::rows::Parsed;
use crate::quota::Quota;
use crate::rpc::contact_lists::not_erased;
use crate::store::contacts::{contact_list_lock, contacts_known};

/// Writes as much of a batch as the bounds allow; the first one with `begun`.
pub(super) async fn write(
    db: &Database,
    target: &Target,
    mut batch: Vec<Parsed>,
    begun: Option<Change>,
    tally: &mut Tally,
) -> Result<(), Status> {
    let mut client = db.app().await?;
    let tx = TenantTx::begin(&mut client, target.tenant).await?;
    // Others may import into the same list: one after the other, so that what is counted is what there is.
    let list = contact_list_lock(&tx, target.list).await?;
    not_erased(&list)?;
    let mut stopped = None;
    if let Some(limit) = target.quotas.limit(Quota::ImportRows)
        && let Some(batch_rows) = beyond(&batch, limit - tally.rows)
    {
        batch.truncate(batch_rows);
        stopped = Some((Quota::ImportRows, limit));
    }
    if let Some(limit) = target.quotas.limit(Quota::ContactsPerList) {
        let room = (limit - list.contact_count).max(0);
        let phones: Vec<&str> = batch.iter().filter_map(phone).collect();
        if len(phones.len()) > room {
            let known = contacts_known(&tx, target.list, &phones).await?;
            if let Some(end) = full(&batch, known, room) {
                batch.truncate(end);
                stopped = Some((Quota::ContactsPerList, limit));
            }
        }
    }
    write_batch(&tx, target, batch, tally).await?;
    match begun {
        Some(begun) => tx.commit(begun).await?,
        None => tx.commit_batch().await?,
    }
    stopped.map_or(Ok(()), |(quota, limit)| Err(stop(quota.exceeded(target.tenant, limit), tally).into()))
}

fn stop(error: Error, tally: &Tally) -> Error {
    let (rows, imported) = (tally.rows, tally.imported);
    let words = format!(
        "the import stopped there: the first {rows} rows after the header were taken, {imported} of them as new contacts, \
         and nothing after them"
    );
    error.done_before(&words, vec![("row_count", rows), ("imported_count", imported)])
}

fn phone(row: &Parsed) -> Option<&str> {
    match row {
        Parsed::Contact { phone, .. } => Some(phone),
        Parsed::Rejected { .. } => None,
    }
}

/// How many rows may be taken, where these are more than `room`.
fn beyond(batch: &[Parsed], room: i64) -> Option<usize> {
    usize::try_from(room.max(0)).ok().filter(|room| batch.len() > *room)
}

/// How many rows may be taken where there is room for so many contacts more: those before the first that is a new contact
/// too many. `None` where that is none.
fn full(batch: &[Parsed], mut known: HashSet<String>, mut room: i64) -> Option<usize> {
    batch.iter().position(|row| {
        let is_new = phone(row).is_some_and(|phone| known.insert(phone.to_owned()));
        room -= i64::from(is_new);
        room < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rows::parse;

    /// One row for each of these numbers.
    fn batch(numbers: &[&str]) -> Vec<Parsed> {
        let file = format!("phone\n{}\n", numbers.join("\n"));
        let rows = parse(file.as_bytes(), "").expect("a file with a header");
        rows.map(|row| row.expect("a row")).collect()
    }

    #[test]
    fn a_list_takes_new_contacts_until_it_is_full() {
        let rows = batch(&["2125552301", "nobody", "2125552302", "2125552301", "2125552303", "2125552304"]);
        let known = || HashSet::from(["+12125552302".to_owned()]);
        assert_eq!(full(&rows, known(), 3), None);
        assert_eq!(full(&rows, known(), 2), Some(5), "what is there, or is no contact, needs no room");
        assert_eq!(full(&rows, known(), 1), Some(4));
        assert_eq!(full(&rows, known(), 0), Some(0));
        assert_eq!(full(&rows, HashSet::new(), 2), Some(4));
    }

    #[test]
    fn a_file_has_as_many_rows_as_it_may() {
        let rows = batch(&["2125552301", "nobody", "2125552302"]);
        assert_eq!(beyond(&rows, 3), None);
        assert_eq!(beyond(&rows, 2), Some(2));
        assert_eq!(beyond(&rows, 0), Some(0));
        assert_eq!(beyond(&rows, -5), Some(0));
    }
}
