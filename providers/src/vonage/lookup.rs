//! Asking Vonage what line a phone is on: Number Insight, which ends on 4 February 2027. Its successor, Identity
//! Insights, takes no key and secret but the JWT of an application.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::codes::code_in;
use super::{API, Vonage, bare};
use crate::credentials::basic;
use crate::refusal::{Code, Verdict, unanswered};
use crate::{Account, LineType, LookUps, Unanswered, ask};

impl LookUps for Vonage {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        let url = [account.base(API), "/ni/standard/json?number=", bare(phone)].concat();
        ask::get(url, basic(&account.account_sid, &account.api_secret)?)
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let insight: Insight<'_> = ask::read(status, headers, body, code_in)?;
        match insight.status {
            // 43 to 45 are answers as well, of which a part is missing.
            0 | 43..=45 => {
                Ok(insight.current_carrier.map_or(LineType::Unknown, |carrier| carrier.line_type()))
            }
            // Invalid: the one thing that we ask about is the number.
            3 => Ok(LineType::Invalid),
            // What was not done comes with a 200, too.
            other => {
                let code = Code { text: other.to_string(), verdict: verdict(other) };
                Err(unanswered(StatusCode::BAD_REQUEST, headers, Some(code)))
            }
        }
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
fn verdict(status: u32) -> Option<Verdict> {
    Some(match status {
        1 => Verdict::Passing(ErrorClass::Rate),
        4 => Verdict::Permanent(ErrorClass::Credentials),
        5 => Verdict::Passing(ErrorClass::Transient),
        9 => Verdict::Permanent(ErrorClass::Account),
        _ => return None,
    })
}
