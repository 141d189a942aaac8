//! Sinch SMS (the REST API "XMS"): JSON requests to a service plan, one batch a text; error codes as words in answers
//! and as numbers in receipts; webhooks signed with HMAC-SHA256 over the body, a nonce and the time.
//!
//! Receipts find their message by the callback URL that each batch names. Our reference goes along as
//! `client_reference` all the same: batches and delivery reports can be asked for by it, which answers whether a call
//! without an answer was acted on.
//!
//! XMS carries one medium a text. A text with more is not sent at all, rather than with some of them left out.
//!
//! Look-ups and numbers are not here: they are APIs of a Sinch project, which take an access key of that project, and
//! an account here has the token of a service plan and no other secret.

mod codes;
mod inquiry;
mod signature;
mod webhook;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use muster_domain::provider::Provider;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use self::codes::code;
use crate::ask::{self, JSON};
use crate::credentials::bearer;
use crate::refusal::{accepted, refused};
use crate::time::rfc3339;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

/// Sinch in the United States; its other regions have hosts of their own.
const API: &str = "https://us.sms.api.sinch.com";
/// Sinch holds a text back for three days at most.
const VALIDITY_S_MAX: u32 = 259_200;

/// See the module.
pub(crate) struct Sinch;

impl Adapter for Sinch {
    fn provider(&self) -> Provider {
        Provider::Sinch
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
        let mut body = Vec::with_capacity(384 + text.body.len() + text.status_callback.len());
        serde_json::to_writer(&mut body, &Send::of(text)?).expect("strings and lists always serialize");
        ask::post(plan(account, "/batches"), bearer(&account.api_secret)?, JSON, body)
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success() {
            return match serde_json::from_slice::<Created<'_>>(body) {
                Ok(Created { id }) if !id.is_empty() => accepted(&id),
                Ok(_) | Err(_) => refused(status, headers, None),
            };
        }
        let refusal = serde_json::from_slice(body).ok();
        refused(status, headers, refusal.as_ref().map(code))
    }

    fn prove(&self, _: &Account, key: &SecretString, request: &WebhookRequest<'_>) -> Result<(), Forged> {
        signature::verify(key, request)
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        vec![webhook::event(request.request().body)]
    }

    fn media_authorization(
        &self,
        _account: &Account,
        _url: &Uri,
    ) -> Result<Option<HeaderValue>, http::Error> {
        // Its links are open.
        Ok(None)
    }

    fn inquiries(&self) -> Option<&dyn Inquiries> {
        Some(self)
    }

    fn look_ups(&self) -> Option<&dyn LookUps> {
        None
    }

    fn numbers(&self) -> Option<&dyn Numbers> {
        None
    }
}

/// The URL of something in the account's service plan.
fn plan(account: &Account, path: &str) -> String {
    [account.base(API), "/xms/v1/", &ask::segment(&account.account_sid), path].concat()
}

/// A text as Sinch reads it.
#[derive(Serialize)]
struct Send<'a> {
    to: [&'a str; 1],
    from: &'a str,
    body: Body<'a>,
    r#type: &'static str,
    delivery_report: &'static str,
    expire_at: String,
    callback_url: &'a str,
    client_reference: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Text(&'a str),
    Media {
        url: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        message: &'a str,
    },
}

impl<'a> Send<'a> {
    /// # Errors
    /// Where the text has more media than Sinch carries.
    fn of(text: &Text<'a>) -> Result<Self, http::Error> {
        let (r#type, body) = match text.media_urls {
            [] => ("mt_text", Body::Text(text.body)),
            [url] => ("mt_media", Body::Media { url, message: text.body }),
            _ => return Err(unsendable()),
        };
        let validity_s = text.validity_s.clamp(1, VALIDITY_S_MAX);
        Ok(Self {
            to: [text.to.as_e164()],
            from: text.from.as_e164(),
            body,
            r#type,
            // One for each recipient and state, to the URL below.
            delivery_report: "per_recipient",
            expire_at: rfc3339(text.now_s.saturating_add(validity_s.into())),
            callback_url: text.status_callback,
            client_reference: text.reference.to_string(),
        })
    }
}

/// The answer to an accepted text, as far as it matters.
#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// The one way to say that a request cannot be made.
fn unsendable() -> http::Error {
    StatusCode::from_u16(0).expect_err("no status is 0").into()
}

#[cfg(test)]
mod tests {
    use muster_domain::phone::PhoneNumber;
    use uuid::Uuid;

    use super::*;
    use crate::Reference;

    fn sent(media: usize, validity_s: u32, now_s: i64) -> Result<String, http::Error> {
        let phone = PhoneNumber::from_e164_trusted("+12025550123");
        let text = Text {
            to: &phone,
            from: &phone,
            body: "hi",
            media_urls: &vec!["https://m.example/a.png".to_owned(); media],
            status_callback: "",
            reference: Reference { message: Uuid::nil(), attempt: 1 },
            validity_s,
            now_s,
        };
        Send::of(&text).map(|send| send.expire_at)
    }

    #[test]
    fn a_text_ends_when_it_is_no_longer_valid_and_within_three_days() {
        let ends = |validity_s| sent(0, validity_s, 1_700_000_000).expect("a text");
        assert_eq!(ends(0), "2023-11-14T22:13:21Z");
        assert_eq!(ends(3_600), "2023-11-14T23:13:20Z");
        assert_eq!(ends(u32::MAX), "2023-11-17T22:13:20Z");
        assert!(sent(0, 60, i64::MAX).is_ok());
    }

    #[test]
    fn a_text_with_several_media_is_not_sent() {
        assert!(sent(1, 60, 0).is_ok());
        assert!(sent(2, 60, 0).is_err() && sent(10, 60, 0).is_err());
    }
}
