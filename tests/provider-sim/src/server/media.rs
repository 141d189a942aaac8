//! Media of replies, as each provider serves them: Twilio to whoever shows the account's credentials, and then by a redirect
//! to where it keeps them; Bandwidth likewise, without one; the others to everybody. Credentials that nobody has asked for
//! are refused, so that no test passes that gives them away.
//!
//! | name | what comes |
//! |---|---|
//! | `picture.png`, `card.vcf`, `note.txt` | what the name says |
//! | `large.png` | six million bytes |
//! | `page.png` | a page of HTML that is said to be a picture |
//! | `loopback.png`, `metadata.png` | a redirect to where nobody must go |
//! | `slow.png` | nothing, ever |
//! | any other | 404 |

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use muster_domain::provider::Provider;

use super::{Answer, authorization, status};
use crate::sim::Sim;

/// The smallest picture: one pixel.
pub const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";
const CARD: &[u8] = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEND:VCARD\r\n";
const PAGE: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
const LARGE_BYTES: usize = 6_000_000;
/// Where Twilio keeps media.
const ELSEWHERE: &str = "elsewhere";

/// Answers a call for what follows `/media/` in its path: provider, account and name.
pub(crate) async fn answer(sim: &Sim, head: &Parts, path: &str) -> Answer {
    let shown = authorization(&head.headers);
    let mut parts = path.splitn(3, '/');
    let (Some(place), Some(sid), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return status(StatusCode::NOT_FOUND);
    };
    let asked_for = match place.parse() {
        Ok(provider @ (Provider::Twilio | Provider::Bandwidth)) => {
            let Some(account) = sim.accounts.find(provider, sid) else {
                return status(StatusCode::NOT_FOUND);
            };
            account.authorization.clone()
        }
        Ok(Provider::Telnyx | Provider::Plivo | Provider::Vonage | Provider::Sinch) => Box::from(""),
        Err(_) if place == ELSEWHERE => Box::from(""),
        Err(_) => return status(StatusCode::NOT_FOUND),
    };
    if *asked_for != *shown {
        return status(if shown.is_empty() { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST });
    }
    match place.parse() {
        Ok(Provider::Twilio) => led_to(&format!("/media/{ELSEWHERE}/{sid}/{name}")),
        Ok(Provider::Telnyx | Provider::Bandwidth | Provider::Plivo | Provider::Vonage | Provider::Sinch)
        | Err(_) => medium(name).await,
    }
}

async fn medium(name: &str) -> Answer {
    match name {
        "picture.png" => of(Bytes::from_static(PICTURE), "image/png"),
        "card.vcf" => of(Bytes::from_static(CARD), "text/x-vcard"),
        "note.txt" => of(Bytes::from_static(b"See you on Tuesday!"), "text/plain; charset=utf-8"),
        "large.png" => {
            let mut large = PICTURE.to_vec();
            large.resize(LARGE_BYTES, 0);
            of(large.into(), "image/png")
        }
        "page.png" => of(Bytes::from_static(PAGE), "image/png"),
        "loopback.png" => led_to("http://127.0.0.1:1/picture.png"),
        "metadata.png" => led_to("http://169.254.169.254/latest/meta-data/"),
        "slow.png" => std::future::pending().await,
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn of(body: Bytes, kind: &'static str) -> Answer {
    let mut answer = Answer::new(body.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn led_to(location: &str) -> Answer {
    let mut answer = status(StatusCode::TEMPORARY_REDIRECT);
    answer.headers_mut().extend(HeaderValue::try_from(location).map(|location| (LOCATION, location)));
    answer
}
