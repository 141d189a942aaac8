//! What Vonage's webhooks tell.

use std::borrow::Cow;

use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::codes::{Problem, code};
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict};
use crate::webhook::bare_phone_number;
use crate::{Unreadable, WebhookEvent};

/// A receipt or a reply: only a receipt has a status. Whatever else Vonage writes into it is passed over.
#[derive(Deserialize)]
struct Webhook<'a> {
    #[serde(borrow)]
    message_uuid: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    status: Option<Cow<'a, str>>,
    error: Option<Problem<'a>>,
    client_ref: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
    image: Option<Medium<'a>>,
    vcard: Option<Medium<'a>>,
    audio: Option<Medium<'a>>,
    video: Option<Medium<'a>>,
    file: Option<Medium<'a>>,
    content: Option<Vec<Medium<'a>>>,
}

/// A medium, or a piece of text among several.
#[derive(Deserialize)]
struct Medium<'a> {
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    caption: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// The one event that a webhook tells.
pub(super) fn event(body: &[u8]) -> Result<WebhookEvent, Unreadable> {
    let webhook: Webhook<'_> =
        serde_json::from_slice(body).map_err(|_| Unreadable("not the JSON of a receipt or reply"))?;
    let id = edge::webhook_message_id(&webhook.message_uuid)?;
    match &webhook.status {
        Some(state) => Ok(receipt(id, state, &webhook)),
        None => reply(id, &webhook),
    }
}

fn receipt(provider_message_id: String, state: &str, webhook: &Webhook<'_>) -> WebhookEvent {
    let reference = webhook.client_ref.as_deref().and_then(|reference| reference.parse().ok());
    let fact = fact(state, webhook.error.as_ref().and_then(code));
    WebhookEvent::Receipt { reference, fact, provider_message_id, state: edge::state(state) }
}

/// What a state means. `None`: not documented, or not when this was written.
pub(super) fn fact(state: &str, code: Option<Code>) -> Option<Fact> {
    match state {
        "submitted" => Some(Fact::ReceiptSent),
        "delivered" | "read" => Some(Fact::ReceiptDelivered),
        // Undeliverable is what never reached the carrier.
        "rejected" | "undeliverable" => {
            let class =
                code.as_ref().and_then(|code| code.verdict).map_or(ErrorClass::Unknown, Verdict::class);
            let code = code.map_or_else(|| state.to_owned(), |code| code.text);
            Some(Fact::ReceiptUndelivered(SendError { class, code }))
        }
        _ => None,
    }
}

fn reply(provider_message_id: String, webhook: &Webhook<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone = |told, why| bare_phone_number(told).ok_or(Unreadable(why));
    let Webhook { image, vcard, audio, video, file, content, .. } = webhook;
    let alone = [image, vcard, audio, video, file].into_iter().flatten();
    let all: Vec<_> = alone.chain(content.iter().flatten()).collect();
    let media = Media::of(all.iter().filter_map(|medium| medium.url.as_deref()));
    Ok(WebhookEvent::Reply {
        from: phone(&webhook.from, "from is no phone number")?,
        to: phone(&webhook.to, "to is no phone number")?,
        body: edge::body(&words(webhook, &all)),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id,
    })
}

/// All that a reply says, a line for each text and caption.
fn words<'a>(webhook: &'a Webhook<'a>, media: &[&'a Medium<'a>]) -> Cow<'a, str> {
    let told = media.iter().flat_map(|medium| [&medium.text, &medium.caption]);
    let told = std::iter::once(&webhook.text).chain(told).filter_map(Option::as_deref);
    let words: Vec<_> = told.filter(|text| !text.is_empty()).collect();
    match words.as_slice() {
        [words] => Cow::Borrowed(words),
        words => Cow::Owned(words.join("\n")),
    }
}
