//! The audit log: what a tenant's calls changed or were refused.

use clap::Args;
use futures::TryStreamExt as _;
use muster_proto::v1::{
    ExportAuditLogRequest, ListAuditEntriesRequest, VerifyAuditLogRequest, VerifyAuditLogResponse,
};
use prost_types::Timestamp;

use crate::api;
use crate::failure::{Exit, Failure, Result};
use crate::flags;
use crate::session::Session;
use crate::show::Output;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    let columns = &["name", "time", "caller", "method", "resource", "result"];
    let verify_rpc = vec![api::rpc::<VerifyAuditLogRequest>()];
    Noun {
        name: "audit",
        about: "The audit log of a tenant",
        verbs: vec![
            Verb::list_by("list", "List entries, oldest first", columns, list),
            Verb::special(
                "export",
                "Write all entries with their hashes, a part a line as JSON",
                vec![api::rpc::<ExportAuditLogRequest>()],
                export,
            ),
            Verb::special(
                "verify",
                "Say whether the chain of entries holds; exit code 6 where it does not",
                verify_rpc,
                verify,
            ),
        ],
    }
}

#[derive(Args)]
struct List {
    /// Only entries from this time on: a time, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = flags::ago)]
    since: Option<Timestamp>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME", value_parser = flags::ago)]
    until: Option<Timestamp>,
    /// Only entries of this caller, written as in the entry
    #[arg(long, default_value = "")]
    caller: String,
    /// Only entries of this method, such as CampaignService/PauseCampaign
    #[arg(long, default_value = "")]
    method: String,
}

async fn list(session: &Session, flags: List) -> Result<ListAuditEntriesRequest> {
    Ok(ListAuditEntriesRequest {
        parent: session.tenant().await?,
        start_time: flags.since,
        end_time: flags.until,
        caller: flags.caller,
        method: flags.method,
        ..ListAuditEntriesRequest::default()
    })
}

#[derive(Args)]
struct Export {
    /// The sequence of the first entry
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    start: i64,
}

async fn export(session: &Session, output: &Output, flags: Export) -> Result<()> {
    let request = ExportAuditLogRequest { parent: session.tenant().await?, start_sequence: flags.start };
    let mut parts = session.stream(&request).await?;
    while let Some(part) = parts.try_next().await? {
        output.line(&part)?;
    }
    Ok(())
}

#[derive(Args)]
struct Verify {
    /// The sequence of an entry that was exported before
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, requires = "known_hash")]
    known_sequence: i64,
    /// The hash of that entry, in hexadecimal digits
    #[arg(long, value_name = "HASH", value_parser = hash, requires = "known_sequence")]
    known_hash: Option<Hash>,
}

/// A hash; clap would take a list of bytes for a list of values.
#[derive(Clone)]
struct Hash(Vec<u8>);

async fn verify(session: &Session, output: &Output, flags: Verify) -> Result<()> {
    let known_hash = flags.known_hash.map(|hash| hash.0).unwrap_or_default();
    let parent = session.tenant().await?;
    let answer = session
        .call(&VerifyAuditLogRequest { parent, known_sequence: flags.known_sequence, known_hash })
        .await?;
    output.answer(&answer)?;
    match api::typed::<VerifyAuditLogResponse>(&answer)?.valid {
        true => Ok(()),
        false => Err(Failure::new(Exit::Precondition, "the audit log was tampered with")),
    }
}

fn hash(text: &str) -> std::result::Result<Hash, String> {
    let pairs =
        text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>();
    bytes.map(Hash).ok_or_else(|| "hexadecimal digits, as `muster audit verify` shows them".to_owned())
}
