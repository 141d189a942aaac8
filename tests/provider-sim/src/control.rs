//! The control API under `/sim/`, for tests. Bodies are JSON.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /sim/accounts` | [`AccountSpec`] | [`AccountOpened`](crate::account::AccountOpened) |
//! | `GET /sim/behaviour` | | [`Behaviour`](crate::behaviour::Behaviour) |
//! | `PUT /sim/behaviour` | any of its knobs | all of them |
//! | `GET /sim/stats` | | [`Stats`](crate::stats::Stats) |
//! | `GET /sim/quiet?timeout_ms=` | | [`Quiet`], as soon as no webhook is pending |
//! | `POST /sim/inbound` | [`InboundSpec`] | [`Posted`] |
//! | `POST /sim/receipt` | [`ReceiptSpec`] | [`Posted`] |
//! | `POST /sim/letter` | [`LetterSpec`] | [`Written`] |
//! | `GET /sim/ledger?message=` | | a list of [`Found`], by Muster's id |
//! | `POST /sim/ledger/flush` | | [`Flushed`] |
//!
//! What cannot be done is answered with 400 and [`Wrong`].

mod letter;
mod posted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::AccountSpec;
use crate::ledger::{Entry, Outcome};
use crate::server::{Answer, json, status};
use crate::sim::Sim;

pub use letter::{LetterSpec, Written};
pub use posted::{InboundSpec, Posted, ReceiptSpec};

/// How long `GET /sim/quiet` waits where it is not told.
const QUIET_MS_DEFAULT: u64 = 30_000;

/// Whether no webhook is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// False where the time ran out first.
    pub quiet: bool,
}

/// Where the ledger is; all of it is in the file now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// The file.
    pub path: PathBuf,
}

/// A text that was accepted, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Muster's own id of it.
    pub message_id: Option<Uuid>,
    /// Which attempt it was.
    pub attempt: u16,
    /// Which provider.
    pub provider: String,
    /// Which account there.
    pub account: String,
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The provider's own id of it.
    pub provider_id: String,
    /// `delivered`, `undelivered` or `failed`.
    pub outcome: String,
    /// The provider's code, where it was not delivered.
    pub code: Option<u32>,
    /// Its body.
    pub body: String,
    /// Its media.
    pub media: Vec<String>,
    /// When it was accepted, in microseconds since the Unix epoch.
    pub time_us: u64,
}

/// Why a command cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// For people.
    pub error: String,
}

impl Wrong {
    fn new(error: impl ToString) -> Self {
        Self { error: error.to_string() }
    }
}

/// Answers a command: what follows `/sim/` in the path.
pub(crate) async fn answer(sim: &Arc<Sim>, head: &Parts, command: &str, body: &[u8]) -> Answer {
    let query = |name: &str| {
        let query = head.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let answered = match (&head.method, command) {
        (&Method::POST, "accounts") => open_account(sim, body),
        (&Method::GET, "behaviour") => written(&*sim.behaviour()),
        (&Method::PUT, "behaviour") => behave(sim, body),
        (&Method::GET, "stats") => written(&sim.counters.read()),
        (&Method::GET, "quiet") => quiet(sim, query("timeout_ms")).await,
        (&Method::POST, "inbound") => posted::inbound(sim, body).await,
        (&Method::POST, "receipt") => posted::receipt(sim, body).await,
        (&Method::POST, "letter") => letter::letter(sim, body),
        (&Method::GET, "ledger") => ledger(sim, query("message")),
        (&Method::POST, "ledger/flush") => flush(sim),
        _ => return status(StatusCode::NOT_FOUND),
    };
    match answered {
        Ok(body) => json(200, body),
        Err(wrong) => json(400, serde_json::to_string(&wrong).unwrap_or_default()),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(Wrong::new)
}

fn written(value: &impl Serialize) -> Result<String, Wrong> {
    serde_json::to_string(value).map_err(Wrong::new)
}

fn open_account(sim: &Sim, body: &[u8]) -> Result<String, Wrong> {
    let spec: AccountSpec = read(body)?;
    written(&sim.accounts.open(&spec).map_err(Wrong::new)?)
}

fn behave(sim: &Sim, body: &[u8]) -> Result<String, Wrong> {
    let behaviour = sim.behaviour().patched(read(body)?).map_err(Wrong::new)?;
    sim.behave(behaviour.clone());
    written(&behaviour)
}

async fn quiet(sim: &Sim, timeout_ms: Option<String>) -> Result<String, Wrong> {
    let timeout_ms = timeout_ms.map_or(Ok(QUIET_MS_DEFAULT), |ms| ms.parse()).map_err(Wrong::new)?;
    let waited = tokio::time::timeout(Duration::from_millis(timeout_ms), sim.quiet()).await;
    written(&Quiet { quiet: waited.is_ok() })
}

fn ledger(sim: &Sim, message: Option<String>) -> Result<String, Wrong> {
    let message = message.ok_or_else(|| Wrong::new("which message?"))?;
    let message = Uuid::parse_str(&message).map_err(Wrong::new)?;
    let entry = sim.book.entry_of(message).map_err(Wrong::new)?;
    written(&entry.into_iter().map(Found::from).collect::<Vec<_>>())
}

fn flush(sim: &Sim) -> Result<String, Wrong> {
    sim.book.flush().map_err(Wrong::new)?;
    written(&Flushed { path: sim.book.path().to_owned() })
}

impl From<Entry> for Found {
    fn from(entry: Entry) -> Self {
        let (outcome, code) = match entry.outcome {
            Outcome::Delivered => ("delivered", None),
            Outcome::Undelivered(code) => ("undelivered", Some(code)),
            Outcome::Failed(code) => ("failed", Some(code)),
        };
        Self {
            message_id: entry.message_id,
            attempt: entry.attempt,
            provider: entry.provider.name().to_owned(),
            account: entry.account.into(),
            to: entry.to.into(),
            from: entry.from.into(),
            provider_id: entry.provider_id.into(),
            outcome: outcome.to_owned(),
            code,
            body: entry.body.into(),
            media: entry.media.into_iter().map(String::from).collect(),
            time_us: entry.time_us,
        }
    }
}
