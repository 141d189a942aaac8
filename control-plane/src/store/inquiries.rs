//! Inquiries: which messages their providers are asked about, and when: those that are UNCONFIRMED, and those whose receipts
//! do not come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use muster_domain::error::SendError;
use muster_domain::status::{State, Status};
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::transitions::{Owner, Transition, error_from};
use crate::store::{execute, query};

/// Asked again after this long, and after four times as long each time after.
const ASKED_AGAIN: Duration = Duration::from_mins(5);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_hours(24);
/// When nobody expects evidence any more: the longest that a text may be valid, after which carriers drop it.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_hours(72);

/// A message whose provider is to be asked.
pub(crate) struct DueInquiry {
    pub(crate) message: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) since: Micros,
    pub(crate) asked: i16,
    pub(crate) status: Status,
    pub(crate) attempt: i16,
    pub(crate) error: Option<SendError>,
    pub(crate) campaign: Uuid,
    pub(crate) account: Uuid,
    pub(crate) number: Uuid,
    /// `None`: the text was erased.
    pub(crate) to: Option<String>,
    pub(crate) from: String,
    pub(crate) body: Option<String>,
    /// When its attempt was claimed, where that is known.
    pub(crate) claim_time: Option<Micros>,
    /// The provider's own id, where anything told it.
    pub(crate) provider_message_id: Option<String>,
}

impl DueInquiry {
    /// When nobody expects evidence any more.
    pub(crate) fn settle_time(&self) -> Micros {
        self.since.later(SETTLED_AFTER)
    }

    /// The step in the message's history that says that nobody expects evidence any more.
    pub(crate) fn settled(&self, now: Micros, cause: &Arc<str>) -> Transition {
        let attempt = self.attempt.unsigned_abs();
        let state = || State { status: self.status, attempt, error: self.error.clone() };
        Transition {
            message: self.message,
            owner: Owner { tenant: self.tenant, campaign: self.campaign },
            number: self.number,
            from: Some(state()),
            since: Some(self.since),
            to: state(),
            time: now,
            cause: cause.clone(),
            provider_message_id: String::new(),
        }
    }

    /// When its provider is to be asked after this time.
    pub(crate) fn next(&self, now: Micros) -> Micros {
        let times = 4_u32.saturating_pow(u32::from(self.asked.unsigned_abs()));
        let pause = ASKED_AGAIN.saturating_mul(times).min(PAUSE_MAX);
        now.later(pause).min(self.settle_time().max(now))
    }
}

/// Has the providers of those asked that became UNCONFIRMED.
pub(crate) async fn inquiries_insert(tx: &Transaction<'_>, transitions: &[Transition]) -> Result<()> {
    let new = || {
        let came = |t: &&Transition| t.from.as_ref().is_none_or(|from| from.status != Status::Unconfirmed);
        transitions.iter().filter(|t| t.to.status == Status::Unconfirmed).filter(came)
    };
    let messages: Vec<Uuid> = new().map(|t| t.message).collect();
    if messages.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = new().map(|t| t.owner.tenant).collect();
    let since: Vec<Micros> = new().map(|t| t.time).collect();
    execute(tx, include_str!("inquiries/inquiries_insert.sql"), &[&messages, &tenants, &since]).await?;
    Ok(())
}

/// Inquiries that were due before this time, the longest waiting first, locked until the end of the transaction.
pub(crate) async fn inquiries_due(tx: &SystemTx<'_>, before: Micros, limit: i64) -> Result<Vec<DueInquiry>> {
    let sql = include_str!("inquiries/inquiries_due.sql");
    let rows = query(tx, sql, &[&before, &limit, &Status::Claimed.code()]).await?;
    let inquiries = rows.into_iter().filter_map(|row| {
        Some(DueInquiry {
            message: row.get("message_id"),
            tenant: row.get("tenant_id"),
            since: row.get("since"),
            asked: row.get("asked"),
            status: Status::from_code(row.get("status"))?,
            attempt: row.get("attempt"),
            error: error_from(row.get("error_class"), row.get("error_code")),
            campaign: row.get("campaign_id"),
            account: row.get("account_id"),
            number: row.get("number_id"),
            to: row.get("phone_to"),
            from: row.get("phone_from"),
            body: row.get("body"),
            claim_time: row.get("claim_time"),
            provider_message_id: row.get("provider_message_id"),
        })
    });
    Ok(inquiries.collect())
}

/// Notes that providers are being asked, and when they are asked again.
pub(crate) async fn inquiries_asked(tx: &SystemTx<'_>, messages: &[Uuid], due: &[Micros]) -> Result<()> {
    execute(tx, include_str!("inquiries/inquiries_asked.sql"), &[&messages, &due]).await?;
    Ok(())
}

/// Ends inquiries.
pub(crate) async fn inquiries_end(tx: &SystemTx<'_>, messages: &[Uuid]) -> Result<()> {
    execute(tx, include_str!("inquiries/inquiries_end.sql"), &[&messages]).await?;
    Ok(())
}

/// Another text between the same two phones.
pub(crate) struct TextBetween {
    pub(crate) status: Option<Status>,
    pub(crate) provider_message_id: Option<String>,
}

/// The tenants' other texts between the phones of each inquiry, by its message.
pub(crate) async fn texts_between(
    tx: &SystemTx<'_>,
    inquiries: &[DueInquiry],
) -> Result<HashMap<Uuid, Vec<TextBetween>>> {
    let messages: Vec<Uuid> = inquiries.iter().map(|inquiry| inquiry.message).collect();
    let tenants: Vec<Uuid> = inquiries.iter().map(|inquiry| inquiry.tenant).collect();
    let phones: Vec<Option<&str>> = inquiries.iter().map(|inquiry| inquiry.to.as_deref()).collect();
    let numbers: Vec<Uuid> = inquiries.iter().map(|inquiry| inquiry.number).collect();
    let sql = include_str!("inquiries/texts_between.sql");
    let mut texts: HashMap<Uuid, Vec<TextBetween>> = HashMap::new();
    for row in query(tx, sql, &[&messages, &tenants, &phones, &numbers]).await? {
        texts.entry(row.get("message_id")).or_default().push(TextBetween {
            status: Status::from_code(row.get("status")),
            provider_message_id: row.get("provider_message_id"),
        });
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry(since: Micros, asked: i16) -> DueInquiry {
        DueInquiry {
            message: Uuid::nil(),
            tenant: Uuid::nil(),
            since,
            asked,
            status: Status::Unconfirmed,
            attempt: 1,
            error: None,
            campaign: Uuid::nil(),
            account: Uuid::nil(),
            number: Uuid::nil(),
            to: None,
            from: String::new(),
            body: None,
            claim_time: None,
            provider_message_id: None,
        }
    }

    #[test]
    fn a_provider_is_asked_ever_less_often_and_last_when_nobody_expects_evidence() {
        let since = Micros(1_000_000);
        let mut now = since;
        let mut asked = 0;
        while now < inquiry(since, asked).settle_time() {
            let next = inquiry(since, asked).next(now);
            assert!(next > now, "{asked}");
            (now, asked) = (next, asked + 1);
        }
        assert_eq!(now, since.later(SETTLED_AFTER));
        assert!((5..=10).contains(&asked), "{asked}");
    }
}
