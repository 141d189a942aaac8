//! What Sinch's webhooks tell. Each receipt is of one recipient, as we ask for it: summaries of whole batches are not
//! read, and neither are replies in binary.

use std::borrow::Cow;

use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::codes::verdict;
use crate::edge::{self, Media};
use crate::refusal::Verdict;
use crate::webhook::bare_phone_number;
use crate::{Unreadable, WebhookEvent};

/// Which kind of webhook it is. Whatever else Sinch writes is passed over, here and below.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// What became of a text. Delivery reports that we ask for are written in the same way.
#[derive(Deserialize)]
pub(super) struct Receipt<'a> {
    #[serde(borrow)]
    pub(super) batch_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) code: Code<'a>,
    #[serde(borrow)]
    pub(super) client_reference: Option<Cow<'a, str>>,
}

/// Codes are numbers. What is none says nothing, rather than that nobody reads what came with it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Code<'a> {
    Number(u32),
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    body: Option<Body<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Media {
        #[serde(borrow)]
        subject: Option<Cow<'a, str>>,
        #[serde(borrow)]
        message: Option<Cow<'a, str>>,
        #[serde(borrow)]
        media: Option<Vec<Medium<'a>>>,
    },
}

/// A medium. One that Sinch failed to take from the carrier has no URL.
#[derive(Deserialize)]
struct Medium<'a> {
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
}

/// The one event that a webhook tells.
pub(super) fn event(body: &[u8]) -> Result<WebhookEvent, Unreadable> {
    let Kind { r#type } = read(body, "not JSON, or of no type")?;
    match r#type.as_ref() {
        "recipient_delivery_report_sms" | "recipient_delivery_report_mms" => {
            receipt(&read(body, "not the JSON of a recipient's delivery report")?)
        }
        "mo_text" | "mo_media" => reply(read(body, "not the JSON of a reply")?),
        _ => Err(Unreadable("neither a recipient's delivery report nor a reply")),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], why: &'static str) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|_| Unreadable(why))
}

fn receipt(receipt: &Receipt<'_>) -> Result<WebhookEvent, Unreadable> {
    Ok(WebhookEvent::Receipt {
        reference: receipt.client_reference.as_deref().and_then(|reference| reference.parse().ok()),
        fact: receipt.fact(),
        provider_message_id: edge::webhook_message_id(&receipt.batch_id)?,
        state: edge::state(&receipt.status),
    })
}

impl Receipt<'_> {
    /// What it means. `None`: a state that is not documented, or was not when this was written. Letters are written
    /// large or small, depending on where one reads of them.
    pub(super) fn fact(&self) -> Option<Fact> {
        let undelivered = |otherwise| Some(Fact::ReceiptUndelivered(self.error(otherwise)));
        match self.status.to_ascii_lowercase().as_str() {
            // Unknown is where Sinch stops waiting; the text was handed to the carrier all the same.
            "queued" | "dispatched" | "unknown" => Some(Fact::ReceiptSent),
            "delivered" => Some(Fact::ReceiptDelivered),
            "failed" | "rejected" | "aborted" | "cancelled" | "deleted" => undelivered(ErrorClass::Unknown),
            "expired" => undelivered(ErrorClass::Expired),
            _ => None,
        }
    }

    fn error(&self, otherwise: ErrorClass) -> SendError {
        let code = match &self.code {
            Code::Number(0) => Cow::default(),
            Code::Number(number) => number.to_string().into(),
            Code::Text(text) => Cow::Borrowed(text.as_ref()),
        };
        if edge::is_code(&code) {
            SendError { class: verdict(&code).map_or(otherwise, Verdict::class), code: code.into_owned() }
        } else {
            SendError { class: otherwise, code: edge::state(&self.status) }
        }
    }
}

fn reply(reply: Reply<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone = |told: &str, why| bare_phone_number(told).ok_or(Unreadable(why));
    let (words, media) = match reply.body {
        None => (Cow::default(), Vec::new()),
        Some(Body::Text(words)) => (words, Vec::new()),
        Some(Body::Media { subject, message, media }) => {
            let words: Vec<_> =
                [subject, message].into_iter().flatten().filter(|text| !text.is_empty()).collect();
            (Cow::Owned(words.join("\n")), media.unwrap_or_default())
        }
    };
    let media = Media::of(media.iter().map(|medium| medium.url.as_deref().unwrap_or_default()));
    Ok(WebhookEvent::Reply {
        from: phone(&reply.from, "from is no phone number")?,
        to: phone(&reply.to, "to is no phone number")?,
        body: edge::body(&words),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id: edge::webhook_message_id(&reply.id)?,
    })
}
