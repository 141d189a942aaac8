//! Asking Vonage what became of a text: the Reports API. It is asked by Vonage's own id where we have it, and else for
//! all texts to the phone around the time of the call, of which the answer tells our reference. Reports cost extra, and
//! may come minutes after the text.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::codes::of_word;
use super::webhook::fact;
use super::{API, Vonage, bare};
use crate::credentials::basic;
use crate::time::rfc3339;
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, ask, edge};

/// Vonage answers for a day at most.
const DAY_S: i64 = 86_400;

impl Inquiries for Vonage {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Reference]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        // The end is exclusive.
        let until_s = inquiry.until_s.saturating_add(1);
        let since_s = inquiry.since_s.max(until_s.saturating_sub(DAY_S));
        let (since, until) = (rfc3339(since_s), rfc3339(until_s));
        let mut query =
            vec![("account_id", &*account.account_sid), ("product", "MESSAGES"), ("direction", "outbound")];
        match inquiry.provider_message_id {
            Some(id) => query.push(("id", id)),
            None => query.extend([("date_start", &*since), ("date_end", &until), ("to", bare(inquiry.to))]),
        }
        let url = ask::with_query(&[account.base(API), "/v2/reports/records"].concat(), &query);
        ask::get(url, basic(&account.account_sid, &account.api_secret)?).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        // A report is always there, be it empty: a 404 does not say that there is no such text.
        let Ok(report) = ask::read_inquiry::<Report<'_>>(status, body) else { return Finding::Unclear };
        if report.request_status != "SUCCESS" {
            return Finding::Unclear;
        }
        let reference = inquiry.reference.to_string();
        let is_it = |record: &&Record<'_>| match inquiry.provider_message_id {
            Some(id) => record.message_id == id,
            None => record.client_ref.as_deref() == Some(&reference),
        };
        match report.records.iter().find(is_it) {
            Some(record) => record.found(),
            // A page further on may have it.
            None if report.links.is_some_and(|links| links.next.is_some()) => Finding::Unclear,
            None => Finding::NotFound,
        }
    }
}

/// A report without records may leave out the list.
#[derive(Deserialize)]
struct Report<'a> {
    #[serde(borrow)]
    request_status: Cow<'a, str>,
    #[serde(borrow, default)]
    records: Vec<Record<'a>>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    message_id: Cow<'a, str>,
    #[serde(borrow)]
    client_ref: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

impl Record<'_> {
    fn found(&self) -> Finding {
        let Some(provider_message_id) = edge::message_id(&self.message_id) else { return Finding::Unclear };
        let code = self.error_code.as_deref().filter(|code| *code != "0").and_then(of_word);
        let fact = fact(self.status.as_deref().unwrap_or_default(), code).unwrap_or(Fact::Accepted);
        Finding::Found { fact, provider_message_id }
    }
}
