//! The providers' own look-ups: what became of a text, by its id; and their lists of texts.

use std::collections::VecDeque;
use std::sync::Arc;

use http::StatusCode;

use super::{Answer, json, status};
use crate::account::Account;
use crate::dialect::{Dialect, Standing};
use crate::ledger::{Entry, Record, scan};
use crate::sim::Sim;

/// The text of this id.
pub(crate) fn text(sim: &Sim, dialect: &dyn Dialect, account: &Account, id: &str) -> Answer {
    let number = dialect.number(id).and_then(|id| sim.ids.number(id));
    let entry = number.map_or(Ok(None), |number| sim.book.entry(number));
    match entry {
        Ok(Some(entry)) if entry.account == account.sid => {
            let Standing { entry, state, code } = standing(sim, dialect, entry);
            json(200, dialect.message(&entry, state, code, &sim.clock.second()))
        }
        Ok(_) => status(StatusCode::NOT_FOUND),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The latest texts that the query asks for, newest first.
pub(crate) async fn list(
    sim: &Arc<Sim>,
    dialect: &'static dyn Dialect,
    account: &Arc<Account>,
    query: &str,
) -> Answer {
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
    let filter = dialect.filter(query);
    sim.book.flush()?;
    let mut found = VecDeque::new();
    scan(sim.book.path(), |record| match record {
        Record::Accepted(entry) => {
            if entry.account == account.sid && filter.has(&entry) {
                found.push_front(entry);
                found.truncate(filter.size);
            }
        }
        Record::Replied(_) | Record::GivenUp(_) => {}
    })?;
    let texts: Vec<_> = found.into_iter().map(|entry| standing(sim, dialect, entry)).collect();
    Ok(dialect.listed(&texts, &filter, &sim.clock.second()))
}

/// The text as it stands now.
fn standing(sim: &Sim, dialect: &dyn Dialect, entry: Entry) -> Standing {
    let (state, code) = if sim.clock.unix_us() < entry.final_us {
        (dialect.state_sent(), None)
    } else {
        dialect.state_final(entry.outcome)
    };
    Standing { entry, state, code }
}
