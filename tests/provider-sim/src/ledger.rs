//! The ledger: every text that a simulated provider accepted, one line each, on disk. It is the ground truth
//! that tests hold Muster against, so it is written by the provider's side alone.
//!
//! The file is text: a line a record, fields separated by tabs. Bodies and media come last and have tabs, line
//! ends and backslashes escaped as `\t`, `\n`, `\r` and `\\`. The first field names the record:
//!
//! ```text
//! A time_us message_id provider account to from provider_id outcome code final_us flags attempt body media
//! R time_us provider account from to provider_id body media      a reply that was answered with a 2xx
//! G time_us message_id                                           a final receipt that was given up
//! ```
//!
//! `message_id` is Muster's own, from the `m` parameter of the callback URL (32 hexadecimal digits, `-` where
//! there is none). `outcome` is what the provider planned: `delivered`, `undelivered` or `failed`, with a code.
//! `final_us` is when. `flags`: `l` the final receipt is lost on purpose, `w` the caller was not told that the
//! text was accepted. Media are separated by spaces.

pub(crate) mod book;
mod line;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use muster_domain::provider::Provider;
use uuid::Uuid;

pub(crate) use line::{push_accepted, push_given_up, push_reply};

/// What the provider planned to become of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It reached the phone.
    Delivered,
    /// It did not reach the phone, with the provider's code.
    Undelivered(u32),
    /// It never left the provider, with the provider's code.
    Failed(u32),
}

/// One text that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Muster's own id of it, where the callback URL had one.
    pub message_id: Option<Uuid>,
    /// Which attempt it was, as the callback URL had it; 0 where it did not say.
    pub attempt: u16,
    /// Which provider.
    pub provider: Provider,
    /// Which account there.
    pub account: Box<str>,
    /// The recipient, in E.164 form.
    pub to: Box<str>,
    /// The sender, in E.164 form.
    pub from: Box<str>,
    /// The provider's own id of it.
    pub provider_id: Box<str>,
    /// What is to become of it.
    pub outcome: Outcome,
    /// When its final receipt was first due, in microseconds since the Unix epoch.
    pub final_us: u64,
    /// Whether its final receipt is lost on purpose: then nobody but the ledger knows the outcome.
    pub final_lost: bool,
    /// Whether the caller was not told that it was accepted: 503, timeout or reset.
    pub silent: bool,
    /// Its body.
    pub body: Box<str>,
    /// Its media.
    pub media: Vec<Box<str>>,
}

/// One reply that Muster answered with a 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyEntry {
    /// When the answer came, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Through which provider.
    pub provider: Provider,
    /// Which account there.
    pub account: Box<str>,
    /// Who replied, in E.164 form.
    pub from: Box<str>,
    /// To which of our numbers.
    pub to: Box<str>,
    /// The provider's own id of it.
    pub provider_id: Box<str>,
    /// Its body.
    pub body: Box<str>,
    /// Its media.
    pub media: Vec<Box<str>>,
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A text was accepted.
    Accepted(Entry),
    /// A reply was answered with a 2xx.
    Replied(ReplyEntry),
    /// The final receipt of this text was given up: Muster was never told.
    GivenUp(Uuid),
}

/// A whole ledger in memory. For millions of texts, [`scan`] takes less.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every text accepted, in the order they were.
    pub entries: Vec<Entry>,
    /// Every reply that was answered with a 2xx.
    pub replies: Vec<ReplyEntry>,
    /// Texts whose final receipt was given up.
    pub given_up: HashSet<Uuid>,
}

/// What Muster's own counters have to be once every receipt has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Texts accepted.
    pub accepted: u64,
    /// Of these, texts that were reported delivered.
    pub delivered: u64,
    /// Texts that were reported undelivered or failed, by the provider's code.
    pub undelivered: BTreeMap<(Provider, u32), u64>,
    /// Texts whose final receipt was lost or given up: sent, for all that Muster can know.
    pub untold: u64,
}

impl Ledger {
    /// Reads the ledger at `path`.
    ///
    /// # Errors
    /// Where the file cannot be read or is no ledger.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut ledger = Self::default();
        scan(path, |record| match record {
            Record::Accepted(entry) => ledger.entries.push(entry),
            Record::Replied(reply) => ledger.replies.push(reply),
            Record::GivenUp(message_id) => drop(ledger.given_up.insert(message_id)),
        })?;
        Ok(ledger)
    }

    /// Muster's ids that were accepted more than once, and how often. Has to be empty.
    pub fn duplicates(&self) -> HashMap<Uuid, u64> {
        let mut seen = HashMap::new();
        for message_id in self.entries.iter().filter_map(|entry| entry.message_id) {
            *seen.entry(message_id).or_default() += 1;
        }
        seen.retain(|_, times| *times > 1);
        seen
    }

    /// Whether Muster was told what became of the text: its final receipt was neither lost nor given up.
    pub fn was_told(&self, entry: &Entry) -> bool {
        let given_up = entry.message_id.is_some_and(|id| self.given_up.contains(&id));
        !entry.final_lost && !given_up
    }

    /// What Muster's own counters have to be.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { accepted: self.entries.len() as u64, ..Tally::default() };
        for entry in &self.entries {
            match entry.outcome {
                _ if !self.was_told(entry) => tally.untold += 1,
                Outcome::Delivered => tally.delivered += 1,
                Outcome::Undelivered(code) | Outcome::Failed(code) => {
                    *tally.undelivered.entry((entry.provider, code)).or_default() += 1;
                }
            }
        }
        tally
    }
}

/// Gives every record of the ledger at `path` to `visit`, in order. A last line that is cut off is left out:
/// the simulator may be writing it.
///
/// # Errors
/// Where the file cannot be read or is no ledger.
pub fn scan(path: &Path, mut visit: impl FnMut(Record)) -> io::Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = String::new();
    let mut number = 0;
    while file.read_line(&mut line)? > 0 {
        number += 1;
        let Some(whole) = line.strip_suffix('\n') else { break };
        let record = line::parse(whole).ok_or_else(|| {
            let place = format!("{}, line {number}: no ledger record", path.display());
            io::Error::new(io::ErrorKind::InvalidData, place)
        })?;
        visit(record);
        line.clear();
    }
    Ok(())
}
