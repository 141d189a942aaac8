//! Plivo's numbers: phone numbers that are to be had, and numbers, which are ours. It writes them without the plus.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Plivo, authorization, no_code, url};
use crate::ask::{JSON, bodiless, get, post, read, segment, with_query};
use crate::refusal::unanswered;
use crate::webhook::bare_phone_number;
use crate::{Account, Numbers, OwnNumber, OwnNumbers, Purchase, Unanswered};

/// The longest page that Plivo gives.
const PAGE_SIZE: usize = 20;

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    objects: Vec<Number<'a>>,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Number<'a> {
    #[serde(borrow)]
    number: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
    offset: usize,
}

#[derive(Deserialize)]
struct Bought<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl Numbers for Plivo {
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error> {
        let count = usize::from(count).min(PAGE_SIZE).to_string();
        let pairs = [
            ("country_iso", "US"),
            ("type", "local"),
            ("pattern", area_code),
            ("services", "sms"),
            ("limit", count.as_str()),
        ];
        get(with_query(&format!("{}/PhoneNumber/", url(account)), &pairs), authorization(account)?)
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        let Listed { objects, .. } = read(status, headers, body, no_code)?;
        Ok(objects.iter().filter_map(|offer| bare_phone_number(&offer.number)).collect())
    }

    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        let number = &phone.as_e164()[1..];
        let body = serde_json::json!({"number": number}).to_string();
        post(format!("{}/PhoneNumber/{number}/", url(account)), authorization(account)?, JSON, body).map(Some)
    }

    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered> {
        let Bought { status } = read(status, headers, body, no_code)?;
        Ok(if status == "fulfilled" { Purchase::Done } else { Purchase::Ordered })
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        let url = format!("{}/Number/{}/", url(account), segment(&number.id));
        bodiless(Method::DELETE, url, authorization(account)?)
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, _: &[u8]) -> Result<(), Unanswered> {
        if status.is_success() { Ok(()) } else { Err(unanswered(status, headers, None)) }
    }

    /// A page is named by how many numbers come before it.
    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let size = PAGE_SIZE.to_string();
        let pairs = [("limit", size.as_str()), ("offset", page.unwrap_or("0"))];
        get(with_query(&format!("{}/Number/", url(account)), &pairs), authorization(account)?)
    }

    fn listed(
        &self,
        _page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered> {
        let Listed { objects, meta } = read(status, headers, body, no_code)?;
        let own = |own: &Number<'_>| {
            Some(OwnNumber { phone: bare_phone_number(&own.number)?, id: own.number.to_string() })
        };
        Ok(OwnNumbers {
            numbers: objects.iter().filter_map(own).collect(),
            next_page: meta.next.map(|_| (meta.offset + objects.len()).to_string()),
        })
    }
}
