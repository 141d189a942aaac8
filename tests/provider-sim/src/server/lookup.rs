//! The providers' own look-ups: what became of a text, by its id; and Twilio's list by phone numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use http::StatusCode;
use muster_domain::provider::Provider;

use super::{Answer, json, status};
use crate::account::Account;
use crate::dialect::Dialect;
use crate::ledger::{Entry, Record, scan};
use crate::sim::Sim;

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1_000;

/// Answers a look-up. `rest` is what follows the account in the path.
pub(crate) async fn answer(
    sim: &Arc<Sim>,
    dialect: &'static dyn Dialect,
    account: &Arc<Account>,
    rest: &str,
    query: Option<&str>,
) -> Answer {
    let id = match account.provider {
        Provider::Twilio if rest == "Messages.json" => {
            return list(sim, dialect, account, query.unwrap_or_default()).await;
        }
        Provider::Twilio => rest.strip_prefix("Messages/").and_then(|id| id.strip_suffix(".json")),
        Provider::Telnyx => rest.strip_prefix('/'),
    };
    let number = id.and_then(|id| dialect.number(id)).and_then(|id| sim.ids.number(id));
    let entry = number.map_or(Ok(None), |number| sim.book.entry(number));
    match entry {
        Ok(Some(entry)) if entry.account == account.sid => json(200, message(sim, dialect, &entry)),
        Ok(_) => status(StatusCode::NOT_FOUND),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The text as it stands now.
fn message(sim: &Sim, dialect: &dyn Dialect, entry: &Entry) -> String {
    let (state, code) = if sim.clock.unix_us() < entry.final_us {
        (dialect.state_sent(), None)
    } else {
        dialect.state_final(entry.outcome)
    };
    dialect.message(entry, state, code, &sim.clock.second())
}

/// The latest texts, newest first. Understands `To`, `From` and `PageSize`.
async fn list(sim: &Arc<Sim>, dialect: &'static dyn Dialect, account: &Arc<Account>, query: &str) -> Answer {
    let (sim, account) = (Arc::clone(sim), Arc::clone(account));
    let query = query.to_owned();
    // Reads the whole ledger, so it must not hold up those who send.
    let page = tokio::task::spawn_blocking(move || page(&sim, dialect, &account, &query)).await;
    match page {
        Ok(Ok(page)) => json(200, page),
        Ok(Err(_)) | Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn page(sim: &Sim, dialect: &dyn Dialect, account: &Account, query: &str) -> std::io::Result<String> {
    let (mut to, mut from, mut size) = (None, None, PAGE_DEFAULT);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "To" => to = Some(value),
            "From" => from = Some(value),
            "PageSize" => size = value.parse().unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX),
            _ => {}
        }
    }
    sim.book.flush()?;
    let mut found = VecDeque::new();
    scan(sim.book.path(), |record| match record {
        Record::Accepted(entry) => {
            let fits = entry.account == account.sid
                && to.as_deref().is_none_or(|to| *to == *entry.to)
                && from.as_deref().is_none_or(|from| *from == *entry.from);
            if fits {
                found.push_front(entry);
                found.truncate(size);
            }
        }
        Record::Replied(_) | Record::GivenUp(_) => {}
    })?;
    let messages: Vec<_> = found.iter().map(|entry| message(sim, dialect, entry)).collect();
    Ok(format!("{{\"messages\":[{}],\"page_size\":{size}}}", messages.join(",")))
}
