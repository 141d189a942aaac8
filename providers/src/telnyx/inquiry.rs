//! Telnyx's messages by id, for ten days; and its detail records by phones and time, which do not tell the body.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::status::Fact;
use serde::Deserialize;

use super::{Payload, Telnyx, fact, receipt_error, url};
use crate::ask::{get, read_inquiry, segment, with_query};
use crate::credentials::bearer;
use crate::inquiry::{Listed, the_one};
use crate::time::{from_rfc3339, rfc3339};
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, edge};

/// Records of a page. In a window of minutes two phones have fewer.
const PAGE_SIZE: &str = "50";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Payload<'a>,
}

#[derive(Deserialize)]
struct Records<'a> {
    #[serde(borrow)]
    data: Vec<Record<'a>>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    uuid: Cow<'a, str>,
    #[serde(borrow)]
    cld: Cow<'a, str>,
    #[serde(borrow)]
    cli: Cow<'a, str>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_at: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    errors: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Meta {
    total_pages: u32,
}

/// What a record's status means: records have words of their own.
fn fact_of_record(status: &str, code: Option<&str>) -> Option<Fact> {
    match status {
        "delivered" => Some(Fact::ReceiptDelivered),
        "queued" | "sent" | "dlr_unconfirmed" | "dlr_timeout" => Some(Fact::ReceiptSent),
        "failed" | "gw_reject" => {
            Some(Fact::ReceiptUndelivered(receipt_error(status, code, ErrorClass::Unknown)))
        }
        // Among them `gw_timeout`: Telnyx has the text, and does not know itself.
        _ => None,
    }
}

impl From<Record<'_>> for Listed {
    fn from(record: Record<'_>) -> Self {
        let code = record.errors.first().map(Cow::as_ref);
        Self {
            provider_message_id: edge::message_id(&record.uuid),
            fact: record.status.as_deref().and_then(|status| fact_of_record(status, code)),
            to: record.cld.into_owned(),
            from: record.cli.into_owned(),
            body: None,
            time_s: record.created_at.as_deref().and_then(from_rfc3339),
        }
    }
}

fn found(message: &Message<'_>) -> Finding {
    let payload = &message.data;
    let Some(provider_message_id) = edge::message_id(&payload.id) else { return Finding::Unclear };
    let code = payload.errors.iter().flatten().next().map(|error| error.code.as_ref());
    let state = payload.to.first().and_then(|to| to.status.as_deref());
    let fact = state.and_then(|state| fact(state, code)).unwrap_or(Fact::Accepted);
    Finding::Found { fact, provider_message_id }
}

impl Inquiries for Telnyx {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Phones]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let url = match inquiry.provider_message_id {
            Some(id) => format!("{}/messages/{}", url(account), segment(id)),
            None => {
                let [since, until] = [inquiry.since_s, inquiry.until_s].map(rfc3339);
                let pairs = [
                    ("filter[record_type]", "messaging"),
                    ("filter[direction]", "outbound"),
                    ("filter[cld]", inquiry.to.as_e164()),
                    ("filter[cli]", inquiry.from.as_e164()),
                    ("filter[created_at][gte]", since.as_str()),
                    ("filter[created_at][lte]", until.as_str()),
                    ("page[size]", PAGE_SIZE),
                ];
                with_query(&format!("{}/detail_records", url(account)), &pairs)
            }
        };
        get(url, bearer(&account.api_secret)?).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        if inquiry.provider_message_id.is_some() {
            let read = read_inquiry::<Message<'_>>(status, body);
            return read.map_or_else(|finding| finding, |message| found(&message));
        }
        match read_inquiry::<Records<'_>>(status, body) {
            Ok(Records { data, meta }) => {
                the_one(inquiry, data.into_iter().map(Listed::from).collect(), meta.total_pages <= 1)
            }
            Err(_) => Finding::Unclear,
        }
    }
}
