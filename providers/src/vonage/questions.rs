//! What Vonage can be asked: what became of a text (the Reports API), and what line a phone is on (Number Insight).
//!
//! Reports are asked by Vonage's own id where we have it, and else for all texts to the phone around the time of the
//! call: the answer names our reference. They cost extra, and may come minutes after the text.
//!
//! Number Insight ends on 4 February 2027. Its successor, Identity Insights, takes no key and secret but the JWT of an
//! application.

use std::borrow::Cow;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use muster_domain::status::Fact;
use serde::Deserialize;

use super::codes::{code, of_word};
use super::{API, Vonage, bare};
use crate::credentials::basic;
use crate::refusal::{Code, Verdict, unanswered};
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, LineType, LookUps, Unanswered, edge, time};

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
        let mut query = Serializer::new(String::new());
        query.append_pair("account_id", &account.account_sid);
        query.append_pair("product", "MESSAGES").append_pair("direction", "outbound");
        match inquiry.provider_message_id {
            Some(id) => query.append_pair("id", id),
            None => {
                // The end is exclusive.
                let until_s = inquiry.until_s.saturating_add(1);
                let since_s = inquiry.since_s.max(until_s.saturating_sub(DAY_S));
                query.append_pair("date_start", &time::rfc3339(since_s));
                query.append_pair("date_end", &time::rfc3339(until_s));
                query.append_pair("to", bare(inquiry.to))
            }
        };
        ask(account, "/v2/reports/records", &query.finish()).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        let Ok(report) = serde_json::from_slice::<Report<'_>>(body) else { return Finding::Unclear };
        if status != StatusCode::OK || report.request_status.is_some_and(|status| status != "SUCCESS") {
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

impl LookUps for Vonage {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        ask(account, "/ni/standard/json", &["number=", bare(phone)].concat())
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let Ok(insight) = serde_json::from_slice::<Insight<'_>>(body) else {
            let problem = serde_json::from_slice(body).ok();
            return Err(unanswered(status, headers, problem.as_ref().and_then(code)));
        };
        match insight.status {
            // 43 to 45 are answers as well, of which a part is missing.
            0 | 43..=45 if status.is_success() => {
                Ok(insight.current_carrier.map_or(LineType::Unknown, |carrier| carrier.line_type()))
            }
            // 3 is "the number is not valid", as long as it was given at all.
            3 if status.is_success() => Ok(LineType::Invalid),
            number => {
                let code = Code { text: number.to_string(), verdict: insight_verdict(number) };
                // It is always a 200, even for what was not done.
                let status = if status.is_success() { StatusCode::BAD_REQUEST } else { status };
                Err(unanswered(status, headers, Some(code)))
            }
        }
    }
}

fn ask(account: &Account, path: &str, query: &str) -> Result<Request<Bytes>, http::Error> {
    Request::get([account.base(API), path, "?", query].concat())
        .header(AUTHORIZATION, basic(&account.account_sid, &account.api_secret)?)
        .body(Bytes::new())
}

#[derive(Deserialize)]
struct Report<'a> {
    #[serde(borrow)]
    request_status: Option<Cow<'a, str>>,
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
        let state = self.status.as_deref().unwrap_or_default();
        let code = self.error_code.as_deref().filter(|code| *code != "0").and_then(of_word);
        let fact = super::webhook::fact(state, code).unwrap_or(Fact::Accepted);
        Finding::Found { fact, provider_message_id }
    }
}

#[derive(Deserialize)]
struct Insight<'a> {
    status: u32,
    #[serde(borrow)]
    current_carrier: Option<Carrier<'a>>,
}

#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow)]
    network_type: Option<Cow<'a, str>>,
}

impl Carrier<'_> {
    fn line_type(&self) -> LineType {
        match self.network_type.as_deref() {
            Some("mobile" | "pager") => LineType::Mobile,
            Some("landline" | "landline_premium") => LineType::Landline,
            Some("landline_tollfree") => LineType::TollFree,
            Some("virtual") => LineType::Voip,
            Some(_) | None => LineType::Unknown,
        }
    }
}

/// The documented states of a look-up that was not done.
fn insight_verdict(status: u32) -> Option<Verdict> {
    use muster_domain::error::ErrorClass as E;
    Some(match status {
        1 => Verdict::Passing(E::Rate),
        4 => Verdict::Permanent(E::Credentials),
        5 => Verdict::Passing(E::Transient),
        9 => Verdict::Permanent(E::Account),
        _ => return None,
    })
}
