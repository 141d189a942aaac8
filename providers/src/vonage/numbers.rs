//! Vonage's numbers: found, bought, given back and listed. They live on another host than messages do, and are named
//! by country and number.

use std::borrow::Cow;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::codes::code;
use super::{Vonage, bare};
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
        let mut query = Serializer::new(String::new());
        // Pattern 0: numbers that begin so.
        query.append_pair("country", "US").append_pair("features", "SMS");
        query.append_pair("pattern", &format!("1{area_code}")).append_pair("search_pattern", "0");
        query.append_pair("size", &usize::from(count).clamp(1, PAGE_NUMBERS).to_string());
        get(account, "/number/search", &query.finish())
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        Ok(page(status, headers, body)?.phones().collect())
    }

    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        post(account, "/number/buy", bare(phone)).map(Some)
    }

    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered> {
        done(status, headers, body).map(|()| Purchase::Done)
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        post(account, "/number/cancel", bare(&number.phone))
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
        done(status, headers, body)
    }

    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let mut query = Serializer::new(String::new());
        query.append_pair("country", "US").append_pair("size", &PAGE_NUMBERS.to_string());
        query.append_pair("index", page.unwrap_or("1"));
        get(account, "/account/numbers", &query.finish())
    }

    fn listed(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<OwnNumbers, Unanswered> {
        let page = page(status, headers, body)?;
        let own = |phone: PhoneNumber| OwnNumber { id: bare(&phone).to_owned(), phone };
        Ok(OwnNumbers { numbers: page.phones().map(own).collect(), next_page: None })
    }
}

fn get(account: &Account, path: &str, query: &str) -> Result<Request<Bytes>, http::Error> {
    Request::get([account.base(REST), path, "?", query].concat())
        .header(AUTHORIZATION, basic(&account.account_sid, &account.api_secret)?)
        .body(Bytes::new())
}

fn post(account: &Account, path: &str, msisdn: &str) -> Result<Request<Bytes>, http::Error> {
    Request::post([account.base(REST), path].concat())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .header(AUTHORIZATION, basic(&account.account_sid, &account.api_secret)?)
        .body(Bytes::from(["country=US&msisdn=", msisdn].concat()))
}

/// A page of numbers. Where there are none, Vonage leaves out the list.
#[derive(Deserialize)]
struct Page<'a> {
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

/// What became of a change: 200 is a yes, whatever the HTTP status.
#[derive(Deserialize)]
struct Changed<'a> {
    #[serde(borrow, rename = "error-code")]
    error_code: Cow<'a, str>,
}

fn page<'a>(status: StatusCode, headers: &HeaderMap, body: &'a [u8]) -> Result<Page<'a>, Unanswered> {
    match serde_json::from_slice(body) {
        Ok(page) if status.is_success() => Ok(page),
        Ok(_) | Err(_) => Err(refused(status, headers, body)),
    }
}

fn done(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
    match serde_json::from_slice::<Changed<'_>>(body) {
        Ok(changed) if status.is_success() && changed.error_code == "200" => Ok(()),
        Ok(_) | Err(_) => Err(refused(status, headers, body)),
    }
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Unanswered {
    if let Ok(Changed { error_code }) = serde_json::from_slice(body) {
        let verdict = match error_code.as_ref() {
            "401" => Some(Verdict::Permanent(ErrorClass::Credentials)),
            // "Method failed": mostly that the number is not to be had, or is not ours.
            "420" => Some(Verdict::Permanent(ErrorClass::BadRequest)),
            _ => None,
        };
        let code = Code { text: error_code.into_owned(), verdict };
        return unanswered(status, headers, Some(code));
    }
    let problem = serde_json::from_slice(body).ok();
    unanswered(status, headers, problem.as_ref().and_then(code))
}
