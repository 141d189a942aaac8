//! Plivo's messages: one by its UUID, or those between two phones in a time, which do not tell the body.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde::Deserialize;

use super::{Plivo, authorization, fact, url};
use crate::ask::{get, read_inquiry, segment, with_query};
use crate::inquiry::{Listed, the_one};
use crate::time::{from_rfc3339, rfc3339};
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, edge};

/// The longest page that Plivo gives. In a window of minutes two phones have fewer texts.
const PAGE_SIZE: &str = "20";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    message_uuid: Cow<'a, str>,
    #[serde(borrow)]
    message_state: Cow<'a, str>,
    #[serde(borrow)]
    to_number: Cow<'a, str>,
    #[serde(borrow)]
    from_number: Cow<'a, str>,
    #[serde(borrow)]
    message_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Messages<'a> {
    #[serde(borrow)]
    objects: Vec<Message<'a>>,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
}

impl From<Message<'_>> for Listed {
    fn from(message: Message<'_>) -> Self {
        Self {
            provider_message_id: edge::message_id(&message.message_uuid),
            fact: fact(&message.message_state, message.error_code.as_deref()),
            to: message.to_number.into_owned(),
            from: message.from_number.into_owned(),
            body: None,
            time_s: message.message_time.as_deref().and_then(from_rfc3339),
        }
    }
}

/// `2023-11-14 22:13:20`, as Plivo's filters read a time.
fn time(unix_s: i64) -> String {
    rfc3339(unix_s).replace('T', " ").replace('Z', "")
}

impl Inquiries for Plivo {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Phones]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let url = match inquiry.provider_message_id {
            Some(id) => format!("{}/Message/{}/", url(account), segment(id)),
            None => {
                let [since, until] = [inquiry.since_s, inquiry.until_s].map(time);
                let pairs = [
                    ("message_direction", "outbound"),
                    ("from_number", &inquiry.from.as_e164()[1..]),
                    ("to_number", &inquiry.to.as_e164()[1..]),
                    ("message_time__gte", since.as_str()),
                    ("message_time__lte", until.as_str()),
                    ("limit", PAGE_SIZE),
                ];
                with_query(&format!("{}/Message/", url(account)), &pairs)
            }
        };
        get(url, authorization(account)?).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        if inquiry.provider_message_id.is_some() {
            let read = read_inquiry::<Message<'_>>(status, body);
            return read.map_or_else(|finding| finding, |message| Listed::from(message).found());
        }
        match read_inquiry::<Messages<'_>>(status, body) {
            Ok(Messages { objects, meta }) => {
                the_one(inquiry, objects.into_iter().map(Listed::from).collect(), meta.next.is_none())
            }
            // A list is there even where it is empty.
            Err(_) => Finding::Unclear,
        }
    }
}
