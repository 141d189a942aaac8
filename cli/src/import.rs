//! `muster import`: a CSV file into a contact list, streamed as it is read.

mod progress;

use std::path::{Path, PathBuf};

use clap::Args;
use futures::{StreamExt as _, stream};
use muster_proto::v1::contact_list_service_client::ContactListServiceClient;
use muster_proto::v1::import_contacts_request::Part;
use muster_proto::v1::{
    ContactList, CreateContactListRequest, GetContactListRequest, ImportContactsRequest,
    ImportContactsResponse, ImportStart,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use self::progress::Progress;
use crate::api;
use crate::failure::{Exit, Failure, Result};
use crate::nouns::lists;
use crate::resource::LIST;
use crate::session::Session;
use crate::show::{Output, table};
use crate::verb::Verb;

/// Bytes of a message; the API takes 1 MiB.
const CHUNK_BYTES: usize = 256 * 1024;

pub(crate) fn verb() -> Verb {
    let rpcs = vec![
        api::rpc::<ImportContactsRequest>(),
        api::rpc::<GetContactListRequest>(),
        api::rpc::<CreateContactListRequest>(),
    ];
    Verb::special("import", "Import a CSV file into a contact list", rpcs, import)
}

#[derive(Args)]
struct Import {
    /// The list: its id, its resource name, or what people call it
    list: String,
    /// The file; `-` is standard input
    file: PathBuf,
    /// Create the list where none is called so
    #[arg(long)]
    create: bool,
    /// The column with the phone number; otherwise found by its header
    #[arg(long, value_name = "HEADER", default_value = "")]
    phone_column: String,
    /// End with exit code 8 where rows were rejected
    #[arg(long)]
    strict: bool,
}

async fn import(session: &Session, output: &Output, flags: Import) -> Result<()> {
    // Before anything is created: a file that is not there is the commonest mistake.
    let (source, bytes) = open(&flags.file).await?;
    let list = list(session, output, &flags).await?;
    let before: ContactList = session.get(&GetContactListRequest { name: list.clone() }).await?;
    let progress = Progress::new(bytes);
    let sending = send(session, &list, &flags.phone_column, source, &progress);
    let answer = tokio::select! {
        answer = sending => answer,
        never = progress.follow(session, &before) => match never {},
    };
    progress.finish();
    let answer = answer?;
    show(output, &list, &answer)?;
    match flags.strict && answer.rejected_count > 0 {
        true => Err(Failure::new(Exit::Rejected, format!("{} rows were rejected", answer.rejected_count))),
        false => Ok(()),
    }
}

type Source = Box<dyn AsyncRead + Send + Unpin>;

async fn open(file: &Path) -> Result<(Source, Option<u64>)> {
    if file.as_os_str() == "-" {
        return Ok((Box::new(tokio::io::stdin()), None));
    }
    let cannot = |error| Failure::because(&format!("cannot read {}", file.display()), error);
    let opened = tokio::fs::File::open(file).await.map_err(cannot)?;
    let bytes = opened.metadata().await.map_err(cannot)?.len();
    Ok((Box::new(opened), Some(bytes)))
}

async fn list(session: &Session, output: &Output, flags: &Import) -> Result<String> {
    match LIST.resolve(session, &flags.list).await {
        Err(failure) if failure.exit == Exit::NotFound && flags.create => {
            let list: ContactList = session.get(&lists::empty(session, flags.list.clone()).await?).await?;
            output.note(&format!("created {}", list.name));
            Ok(list.name)
        }
        found => found,
    }
}

async fn send(
    session: &Session,
    list: &str,
    phone_number_column: &str,
    source: Source,
    progress: &Progress,
) -> Result<ImportContactsResponse> {
    let start =
        ImportStart { contact_list: list.to_owned(), phone_number_column: phone_number_column.to_owned() };
    let (broken, mut has_broken) = tokio::sync::oneshot::channel();
    let counted = progress.clone();
    let chunks = stream::unfold((source, Some(broken)), move |(mut source, mut broken)| {
        let counted = counted.clone();
        async move {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match (&mut source).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await {
                Ok(0) => None,
                Ok(_) => {
                    counted.sent(&chunk);
                    Some((Part::Chunk(chunk), (source, broken)))
                }
                Err(error) => {
                    // The stream can only end; what became of the file is told beside it.
                    let _ = broken.take().map(|broken| broken.send(error));
                    None
                }
            }
        }
    });
    let parts = stream::iter([Part::Start(start)]).chain(chunks);
    let requests = parts.map(|part| ImportContactsRequest { part: Some(part) });
    let answer = ContactListServiceClient::new(session.api()).import_contacts(requests).await;
    if let Ok(error) = has_broken.try_recv() {
        return Err(Failure::because(
            "the file could not be read to its end; what was read is imported",
            error,
        ));
    }
    Ok(answer?.into_inner())
}

fn show(output: &Output, list: &str, answer: &ImportContactsResponse) -> Result<()> {
    if output.is_json() {
        return output.line(&api::reflect(answer)?);
    }
    let (rows, imported, rejected) = (answer.row_count, answer.imported_count, answer.rejected_count);
    output.text(&format!("{rows} rows: {imported} imported, {rejected} rejected"))?;
    if rejected > 0 {
        let mut reasons: Vec<_> = answer.rejected_by_reason.iter().collect();
        reasons.sort_by_key(|(reason, count)| (-**count, reason.as_str()));
        let rows = reasons.into_iter().map(|(reason, count)| vec![reason.clone(), count.to_string()]);
        output.text(&table::of_cells(vec!["REASON".to_owned(), "ROWS".to_owned()], rows))?;
        let id = list.rsplit('/').next().unwrap_or_default();
        output.note(&format!("see them: muster lists rejected {id}"));
    }
    Ok(())
}
