//! Twilio's messages: one by its SID, or those between two phones, newest first, with their bodies.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde::Deserialize;

use super::{Twilio, authorization, fact, url};
use crate::ask::{get, read_inquiry, segment, with_query};
use crate::inquiry::{Listed, the_one};
use crate::time::from_rfc2822;
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, edge};

/// The longest page that Twilio gives. Two phones seldom have as many texts.
const PAGE_SIZE: &str = "1000";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    date_created: Option<Cow<'a, str>>,
    error_code: Option<u32>,
}

#[derive(Deserialize)]
struct Messages<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(borrow)]
    next_page_uri: Option<Cow<'a, str>>,
}

impl From<Message<'_>> for Listed {
    fn from(message: Message<'_>) -> Self {
        let code = message.error_code.map(|code| code.to_string());
        Self {
            provider_message_id: edge::message_id(&message.sid),
            fact: fact(&message.status, code.as_deref()),
            to: message.to.into_owned(),
            from: message.from.into_owned(),
            body: message.body.map(Cow::into_owned),
            time_s: message.date_created.as_deref().and_then(from_rfc2822),
        }
    }
}

impl Inquiries for Twilio {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::PhonesAndBody]
    }

    /// Not by date: Twilio filters by the day that a text was sent, which one in its queue does not have yet.
    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let url = match inquiry.provider_message_id {
            Some(sid) => format!("{}/Messages/{}.json", url(account), segment(sid)),
            None => {
                let [to, from] = [inquiry.to.as_e164(), inquiry.from.as_e164()];
                let pairs = [("To", to), ("From", from), ("PageSize", PAGE_SIZE)];
                with_query(&format!("{}/Messages.json", url(account)), &pairs)
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
            Ok(Messages { messages, next_page_uri }) => {
                let listed = messages.into_iter().map(Listed::from).collect();
                the_one(inquiry, listed, next_page_uri.is_none_or(|uri| uri.is_empty()))
            }
            // A list is there even where it is empty.
            Err(_) => Finding::Unclear,
        }
    }
}
