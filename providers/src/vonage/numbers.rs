//! Vonage's numbers: found, bought, given back and listed. They live on another host than messages do, and are named
//! by country and number.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::codes::code_in;
use super::{Vonage, bare};
use crate::ask::{self, FORM};
use crate::credentials::basic;
use crate::refusal::{Code, Verdict, unanswered};
use crate::webhook::bare_phone_number;
use crate::{Account, Numbers, OwnNumber, OwnNumbers, Purchase, Unanswered};

/// Where numbers are.
const REST: &str = "https://rest.nexmo.com";
/// The most that Vonage lists at once.
const PAGE_NUMBERS: usize = 100;

impl Numbers for Vonage {
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error> {
        // Pattern 0: numbers that begin so.
        let query = [
            ("country", "US"),
            ("features", "SMS"),
            ("pattern", &*format!("1{area_code}")),
            ("search_pattern", "0"),
            ("size", &*usize::from(count).clamp(1, PAGE_NUMBERS).to_string()),
        ];
        get(account, "/number/search", &query)
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        let page: Page<'_> = ask::read(status, headers, body, code_in)?;
        Ok(page.phones().collect())
    }

    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        post(account, "/number/buy", phone).map(Some)
    }

    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered> {
        done(status, headers, body).map(|()| Purchase::Done)
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        post(account, "/number/cancel", &number.phone)
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
        done(status, headers, body)
    }

    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let size = PAGE_NUMBERS.to_string();
        let query = [("country", "US"), ("size", &*size), ("index", page.unwrap_or("1"))];
        get(account, "/account/numbers", &query)
    }

    /// Vonage counts all numbers, and does not say which page this is.
    fn listed(
        &self,
        page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered> {
        let listed: Page<'_> = ask::read(status, headers, body, code_in)?;
        let index: usize = page.and_then(|page| page.parse().ok()).unwrap_or(1);
        let is_last = listed.numbers.is_empty() || index.saturating_mul(PAGE_NUMBERS) >= listed.count;
        let own = |phone: PhoneNumber| OwnNumber { id: bare(&phone).to_owned(), phone };
        Ok(OwnNumbers {
            numbers: listed.phones().map(own).collect(),
            next_page: (!is_last).then(|| (index + 1).to_string()),
        })
    }
}

fn get(account: &Account, path: &str, query: &[(&str, &str)]) -> Result<Request<Bytes>, http::Error> {
    let url = ask::with_query(&[account.base(REST), path].concat(), query);
    ask::get(url, basic(&account.account_sid, &account.api_secret)?)
}

fn post(account: &Account, path: &str, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
    let authorization = basic(&account.account_sid, &account.api_secret)?;
    let body = ["country=US&msisdn=", bare(phone)].concat();
    ask::post([account.base(REST), path].concat(), authorization, FORM, body)
}

/// A page of numbers. Where there are none, Vonage leaves out the list.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    count: usize,
    #[serde(borrow, default)]
    numbers: Vec<Listed<'a>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    msisdn: Cow<'a, str>,
}

impl Page<'_> {
    fn phones(&self) -> impl Iterator<Item = PhoneNumber> {
        self.numbers.iter().filter_map(|number| bare_phone_number(&number.msisdn))
    }
}

/// What became of a change: 200 is a yes.
#[derive(Deserialize)]
struct Changed<'a> {
    #[serde(borrow, rename = "error-code")]
    error_code: Cow<'a, str>,
}

fn done(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
    let changed: Changed<'_> = ask::read(status, headers, body, refusal)?;
    match changed.error_code.as_ref() {
        "200" => Ok(()),
        // What was not done may come with a 200 all the same.
        _ => Err(unanswered(StatusCode::BAD_REQUEST, headers, refusal(body))),
    }
}

/// The code of a change that was not made.
fn refusal(body: &[u8]) -> Option<Code> {
    let Ok(Changed { error_code }) = serde_json::from_slice(body) else { return code_in(body) };
    let verdict = match error_code.as_ref() {
        "401" => Some(Verdict::Permanent(ErrorClass::Credentials)),
        // "Method failed": mostly that the number is not to be had, or is not ours.
        "420" => Some(Verdict::Permanent(ErrorClass::BadRequest)),
        _ => None,
    };
    Some(Code { text: error_code.into_owned(), verdict })
}
