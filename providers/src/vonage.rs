//! Vonage Messages API, version 1: JSON requests, errors as problem documents, webhooks that carry a JWT with the
//! hash of their body. Numbers are written without a `+`.
//!
//! Calls carry the account's key and secret (HTTP Basic) and not the JWT of an application, which Vonage takes as
//! well: that one is signed with RSA for each call, needs one more secret with its own rotation, and lets us do
//! nothing that the key does not. The key also opens what the application's JWT does not: numbers, look-ups and
//! reports.
//!
//! Receipts find their message by the callback URL that each call names (`webhook_url`), as with other providers. Our
//! reference goes along as `client_ref` all the same: reports give it back, and nothing else tells there whether a
//! call without an answer was acted on.

mod codes;
mod inquiry;
mod jwt;
mod lookup;
mod numbers;
mod webhook;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use self::codes::code_in;
use crate::ask::{self, JSON};
use crate::credentials::basic;
use crate::refusal::{accepted, refused};
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

/// Where messages, reports and look-ups are.
const API: &str = "https://api.nexmo.com";

/// How long Vonage can be told to hold an SMS back.
const SMS_TTL_S: (u32, u32) = (20, 604_800);
/// How long Vonage can be told to hold an MMS back.
const MMS_TTL_S: (u32, u32) = (300, 259_200);

/// See the module.
pub(crate) struct Vonage;

impl Adapter for Vonage {
    fn provider(&self) -> Provider {
        Provider::Vonage
    }

    fn base_url(&self) -> &'static str {
        API
    }

    fn correlation(&self) -> Correlation {
        Correlation::CallbackUrl
    }

    fn signs_the_url(&self) -> bool {
        false
    }

    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        let mut body = Vec::with_capacity(320 + text.body.len() + text.status_callback.len());
        serde_json::to_writer(&mut body, &Send::from(text)).expect("strings and lists always serialize");
        let authorization = basic(&account.account_sid, &account.api_secret)?;
        ask::post([account.base(API), "/v1/messages"].concat(), authorization, JSON, body)
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success() {
            return match serde_json::from_slice::<Created<'_>>(body) {
                Ok(Created { message_uuid }) if !message_uuid.is_empty() => accepted(&message_uuid),
                Ok(_) | Err(_) => refused(status, headers, None),
            };
        }
        refused(status, headers, code_in(body))
    }

    fn prove(
        &self,
        account: &Account,
        key: &SecretString,
        request: &WebhookRequest<'_>,
    ) -> Result<(), Forged> {
        jwt::verify(account, key, request)
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        vec![webhook::event(request.request().body)]
    }

    fn media_authorization(
        &self,
        _account: &Account,
        _url: &Uri,
    ) -> Result<Option<HeaderValue>, http::Error> {
        // Its links are open, and end after two days. Those of accounts that have them secured take the token of an
        // application, which we do not have.
        Ok(None)
    }

    fn inquiries(&self) -> Option<&dyn Inquiries> {
        Some(self)
    }

    fn look_ups(&self) -> Option<&dyn LookUps> {
        Some(self)
    }

    fn numbers(&self) -> Option<&dyn Numbers> {
        Some(self)
    }
}

/// A text as Vonage reads it.
#[derive(Serialize)]
struct Send<'a> {
    channel: &'static str,
    to: &'a str,
    from: &'a str,
    #[serde(flatten)]
    message: Message<'a>,
    ttl: u32,
    client_ref: String,
    webhook_url: &'a str,
    webhook_version: &'static str,
}

/// What a text consists of. Vonage has a kind of message for each kind of medium, and one for several media.
#[derive(Serialize)]
#[serde(tag = "message_type", rename_all = "lowercase")]
enum Message<'a> {
    Text { text: &'a str },
    Image { image: Medium<'a> },
    Vcard { vcard: Medium<'a> },
    Audio { audio: Medium<'a> },
    Video { video: Medium<'a> },
    File { file: Medium<'a> },
    Content { content: Vec<Item<'a>> },
}

#[derive(Serialize)]
struct Medium<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    caption: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    r#type: Kind,
    #[serde(flatten)]
    medium: Medium<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Image,
    Vcard,
    Audio,
    Video,
    File,
}

impl Kind {
    /// Of the medium at `url`, as its ending says. What says nothing is most likely a picture.
    fn of(url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let file = path.rsplit('/').next().unwrap_or(path);
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match ending.as_str() {
            "vcf" | "vcard" => Self::Vcard,
            "mp3" | "m4a" | "aac" | "amr" | "wav" | "ogg" | "oga" => Self::Audio,
            "mp4" | "m4v" | "mov" | "3gp" | "3gpp" | "3g2" | "mpeg" | "mpg" | "webm" => Self::Video,
            "pdf" | "txt" | "csv" | "ics" | "zip" => Self::File,
            _ => Self::Image,
        }
    }
}

impl<'a> Message<'a> {
    /// An MMS has no text of its own: it is the caption of the first medium.
    fn of(text: &Text<'a>) -> Self {
        match text.media_urls {
            [] => Self::Text { text: text.body },
            [url] => Self::one(Medium { url, caption: text.body }),
            [first, others @ ..] => {
                let item =
                    |url: &'a str, caption| Item { r#type: Kind::of(url), medium: Medium { url, caption } };
                let mut content = vec![item(first, text.body)];
                content.extend(others.iter().map(|url| item(url, "")));
                Self::Content { content }
            }
        }
    }

    fn one(medium: Medium<'a>) -> Self {
        match Kind::of(medium.url) {
            Kind::Image => Self::Image { image: medium },
            Kind::Vcard => Self::Vcard { vcard: medium },
            Kind::Audio => Self::Audio { audio: medium },
            Kind::Video => Self::Video { video: medium },
            Kind::File => Self::File { file: medium },
        }
    }
}

impl<'a> From<&Text<'a>> for Send<'a> {
    fn from(text: &Text<'a>) -> Self {
        let (channel, (ttl_s_min, ttl_s_max)) =
            if text.media_urls.is_empty() { ("sms", SMS_TTL_S) } else { ("mms", MMS_TTL_S) };
        Self {
            channel,
            to: bare(text.to),
            from: bare(text.from),
            message: Message::of(text),
            ttl: text.validity_s.clamp(ttl_s_min, ttl_s_max),
            client_ref: text.reference.to_string(),
            webhook_url: text.status_callback,
            webhook_version: "v1",
        }
    }
}

/// The number as Vonage writes it.
fn bare(phone: &PhoneNumber) -> &str {
    phone.as_e164().trim_start_matches('+')
}

/// The answer to an accepted text, as far as it matters.
#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    message_uuid: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::Reference;

    #[test]
    fn a_text_is_held_back_for_as_long_as_vonage_takes() {
        let phone = PhoneNumber::from_e164_trusted("+12025550123");
        let media = ["https://m.example/a.png".to_owned()];
        let ttl = |media_urls, validity_s| {
            let text = Text {
                to: &phone,
                from: &phone,
                body: "hi",
                media_urls,
                status_callback: "",
                reference: Reference { message: Uuid::nil(), attempt: 1 },
                validity_s,
                now_s: 0,
            };
            Send::from(&text).ttl
        };
        assert_eq!([0, 20, 604_800, u32::MAX].map(|s| ttl(&[], s)), [20, 20, 604_800, 604_800]);
        assert_eq!([0, 300, 259_200, u32::MAX].map(|s| ttl(&media, s)), [300, 300, 259_200, 259_200]);
    }

    #[test]
    fn a_medium_is_what_its_ending_says() {
        for (url, kind) in [
            ("https://m.example/a.png", Kind::Image),
            ("https://m.example/a.VCF?x=1.mp4", Kind::Vcard),
            ("https://m.example/a.b/sound.mp3", Kind::Audio),
            ("https://m.example/clip.3gp#t=1", Kind::Video),
            ("https://m.example/leaflet.pdf", Kind::File),
            ("https://m.example/", Kind::Image),
            ("https://m.example/v1.mp4/1234", Kind::Image),
            ("", Kind::Image),
        ] {
            assert_eq!(Kind::of(url), kind, "{url}");
        }
    }
}
