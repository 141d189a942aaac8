//! Bandwidth's list of messages, for fourteen days: by id, or by phones and time. It tells neither body nor tag.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::{Bandwidth, authorization, messages_url, undelivered};
use crate::ask::{get, read_inquiry, with_query};
use crate::inquiry::{Listed, the_one};
use crate::time::{from_rfc3339, rfc3339};
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, edge};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Messages<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(default, borrow)]
    page_info: Option<PageInfo<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo<'a> {
    #[serde(borrow)]
    next_page_token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow)]
    message_id: Cow<'a, str>,
    #[serde(borrow)]
    source_tn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    destination_tn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message_status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    receive_time: Option<Cow<'a, str>>,
    error_code: Option<u32>,
}

fn fact(status: &str, code: Option<&str>) -> Option<Fact> {
    match status {
        "RECEIVED" | "QUEUED" | "SENDING" | "SENT" | "ACCEPTED" => Some(Fact::ReceiptSent),
        "DELIVERED" => Some(Fact::ReceiptDelivered),
        "FAILED" | "UNDELIVERED" => Some(undelivered(status, code)),
        _ => None,
    }
}

impl From<Message<'_>> for Listed {
    fn from(message: Message<'_>) -> Self {
        // 0 is no error.
        let code = message.error_code.filter(|code| *code != 0).map(|code| code.to_string());
        let text = |told: Option<Cow<'_, str>>| told.map_or_else(String::new, Cow::into_owned);
        Self {
            provider_message_id: edge::message_id(&message.message_id),
            fact: message.message_status.as_deref().and_then(|status| fact(status, code.as_deref())),
            to: text(message.destination_tn),
            from: text(message.source_tn),
            body: None,
            time_s: message.receive_time.as_deref().and_then(from_rfc3339),
        }
    }
}

impl Inquiries for Bandwidth {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Phones]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let url = messages_url(account);
        let url = match inquiry.provider_message_id {
            Some(id) => with_query(&url, &[("messageId", id)]),
            None => {
                let [since, until] = [inquiry.since_s, inquiry.until_s].map(rfc3339);
                let pairs = [
                    ("sourceTn", inquiry.from.as_e164()),
                    ("destinationTn", inquiry.to.as_e164()),
                    ("messageDirection", "OUTBOUND"),
                    ("fromDateTime", since.as_str()),
                    ("toDateTime", until.as_str()),
                ];
                with_query(&url, &pairs)
            }
        };
        get(url, authorization(account)?).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        let Ok(Messages { messages, page_info }) = read_inquiry::<Messages<'_>>(status, body) else {
            // A list is there even where it is empty.
            return Finding::Unclear;
        };
        let mut listed: Vec<Listed> = messages.into_iter().map(Listed::from).collect();
        if let Some(id) = inquiry.provider_message_id {
            listed.retain(|text| text.provider_message_id.as_deref() == Some(id));
            return listed.pop().map_or(Finding::NotFound, Listed::found);
        }
        let next = page_info.and_then(|page| page.next_page_token);
        the_one(inquiry, listed, next.is_none_or(|token| token.is_empty()))
    }
}
