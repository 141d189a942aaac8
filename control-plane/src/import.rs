//! Importing contacts: a stream of bytes becomes rows, rows become contacts or rejected rows, in batches. Memory
//! does not grow with the file: everything between the stages is bounded.
//!
//! The audit log hears of an import twice: with its first batch, so that no row is there without an entry whatever becomes
//! of this process, and at its end.
//!
//! The reader and the parser run on a thread of their own, because parsing is work and reading blocks; the
//! writer commits batch by batch, so that an import which breaks off can simply be sent again.

mod bounds;
mod lines;
mod reader;
mod rows;

use std::collections::HashMap;

use bytes::Bytes;
use futures::future::try_join;
use muster_domain::id::TenantId;
use muster_proto::v1::ImportContactsRequest;
use muster_proto::v1::import_contacts_request::Part;
use muster_runtime::{Error, clock};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::audit::Change;
use crate::db::{self, Database, TenantTx};
use crate::import::reader::ChunkReader;
use crate::import::rows::{Parsed, parse};
use crate::quota::Quotas;
use crate::store::contacts::{
    Contact, RejectedRow, contact_list_count, contacts_insert, rejected_rows_insert,
};

/// The largest chunk of a file.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// Chunks that may wait to be parsed.
const CHUNKS_WAITING: usize = 4;
/// Rows in one transaction.
const BATCH_ROWS: usize = 2_000;
/// Batches that may wait to be written.
const BATCHES_WAITING: usize = 2;

/// How an import begins, as the caller said.
pub(crate) struct Start {
    pub(crate) list: String,
    pub(crate) phone_column: String,
}

/// Where the contacts go.
pub(crate) struct Target {
    pub(crate) tenant: TenantId,
    pub(crate) list: Uuid,
    pub(crate) phone_column: String,
    /// The tenant's quotas when the import began.
    pub(crate) quotas: Quotas,
}

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rows: i64,
    pub(crate) imported: i64,
    pub(crate) rejected: HashMap<String, i64>,
}

/// The messages of an import on their way from the call to the import itself. The end is a message of its own: a channel
/// that closes without it means that the caller went away, maybe in the middle of a row.
pub(crate) type Messages = mpsc::Receiver<Option<Result<ImportContactsRequest, Status>>>;

/// Hands the messages of a call on, until the call ends or nobody wants them any more.
pub(crate) async fn hand_on(
    mut stream: Streaming<ImportContactsRequest>,
    messages: mpsc::Sender<Option<Result<ImportContactsRequest, Status>>>,
) {
    loop {
        let message = stream.message().await.transpose();
        let ended = message.is_none();
        if ended {
            // A stream that was reset looks like one that has ended, until the server has had a moment to drop this call.
            tokio::task::yield_now().await;
        }
        if messages.send(message).await.is_err() || ended {
            return;
        }
    }
}

/// Imports the file in `messages`, and counts in `tally` what is committed, also where it breaks off. The first batch is
/// committed together with `begun`.
pub(crate) async fn run(
    db: &Database,
    target: &Target,
    mut messages: Messages,
    begun: Change,
    tally: &mut Tally,
) -> Result<(), Status> {
    let (chunks, chunks_in) = mpsc::channel::<Bytes>(CHUNKS_WAITING);
    let (batches, mut batches_in) = mpsc::channel::<Vec<Parsed>>(BATCHES_WAITING);
    let phone_column = target.phone_column.clone();
    let parser =
        tokio::task::spawn_blocking(move || parse_all(ChunkReader::new(chunks_in), &phone_column, &batches));
    let receive = async move {
        while let Some(message) = messages.recv().await.ok_or_else(Error::cut_off)? {
            let chunk = chunk(message?)?;
            // The parser has gone: its own result says why.
            if chunks.send(chunk).await.is_err() {
                break;
            }
        }
        Ok::<(), Status>(())
    };
    let write = async {
        let mut begun = Some(begun);
        while let Some(batch) = batches_in.recv().await {
            bounds::write(db, target, batch, begun.take(), tally).await?;
        }
        Ok(())
    };
    try_join(receive, write).await?;
    Ok(parser.await.map_err(Error::internal)??)
}

fn chunk(message: ImportContactsRequest) -> Result<Bytes, Status> {
    match message.part {
        Some(Part::Chunk(chunk)) if chunk.len() <= CHUNK_BYTES_MAX => Ok(chunk.into()),
        Some(Part::Chunk(_)) => {
            Err(Error::invalid("chunk", format!("must have at most {CHUNK_BYTES_MAX} bytes")).into())
        }
        Some(Part::Start(_)) | None => {
            Err(Error::invalid("chunk", "is required in every message after the first").into())
        }
    }
}

fn parse_all(
    reader: ChunkReader,
    phone_column: &str,
    batches: &mpsc::Sender<Vec<Parsed>>,
) -> muster_runtime::Result<()> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    for row in parse(reader, phone_column)? {
        batch.push(row?);
        if batch.len() == BATCH_ROWS {
            // The writer has gone: its own result says why.
            if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = batches.blocking_send(batch);
    }
    Ok(())
}

async fn write_batch(
    tx: &TenantTx<'_>,
    target: &Target,
    batch: Vec<Parsed>,
    tally: &mut Tally,
) -> Result<(), db::Error> {
    let rows = batch.len();
    let mut contacts = Vec::with_capacity(rows);
    let mut places = HashMap::with_capacity(rows);
    let mut rejected = Vec::new();
    for parsed in batch {
        match parsed {
            Parsed::Contact { place, phone, fields } => {
                let id = clock::new_id();
                places.insert(id, place);
                contacts.push(Contact { id, phone, fields });
            }
            Parsed::Rejected { place, reason } => rejected.push((place, reason)),
        }
    }
    let new = contacts_insert(tx, target.tenant.0, target.list, &contacts).await?;
    for id in &new {
        places.remove(id);
    }
    // What is left has a phone number that the list has already, from this file or before.
    rejected.extend(places.into_values().map(|place| (place, "DUPLICATE")));
    rejected.sort_by_key(|(place, _)| place.line);
    let rejected: Vec<RejectedRow> =
        rejected.into_iter().map(|(place, reason)| place.reject(reason)).collect();
    rejected_rows_insert(tx, target.tenant.0, target.list, &rejected).await?;
    contact_list_count(tx, target.list, len(new.len()), len(rejected.len())).await?;
    tally.rows += len(rows);
    tally.imported += len(new.len());
    for row in rejected {
        *tally.rejected.entry(row.reason).or_default() += 1;
    }
    Ok(())
}

fn len(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
