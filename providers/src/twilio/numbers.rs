//! Twilio's numbers: available local ones, and incoming ones, which are ours.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{BASE_URL, Twilio, authorization, code, url};
use crate::ask::{FORM, bodiless, get, post, read, segment, with_query};
use crate::refusal::unanswered;
use crate::webhook::phone_number;
use crate::{Account, Numbers, OwnNumber, OwnNumbers, Purchase, Unanswered};

#[derive(Deserialize)]
struct Available<'a> {
    #[serde(borrow)]
    available_phone_numbers: Vec<Offer<'a>>,
}

#[derive(Deserialize)]
struct Offer<'a> {
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(borrow)]
    incoming_phone_numbers: Vec<Own<'a>>,
    #[serde(borrow)]
    next_page_uri: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
}

impl Numbers for Twilio {
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error> {
        let count = count.to_string();
        let pairs = [("AreaCode", area_code), ("SmsEnabled", "true"), ("PageSize", count.as_str())];
        let url = format!("{}/AvailablePhoneNumbers/US/Local.json", url(account));
        get(with_query(&url, &pairs), authorization(account)?)
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        let Available { available_phone_numbers } = read(status, headers, body, code)?;
        Ok(available_phone_numbers.iter().filter_map(|offer| phone_number(&offer.phone_number)).collect())
    }

    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        let body = format!("PhoneNumber={}", segment(phone.as_e164()));
        let url = format!("{}/IncomingPhoneNumbers.json", url(account));
        post(url, authorization(account)?, FORM, body).map(Some)
    }

    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered> {
        read::<Own<'_>>(status, headers, body, code).map(|_| Purchase::Done)
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        let url = format!("{}/IncomingPhoneNumbers/{}.json", url(account), segment(&number.id));
        bodiless(Method::DELETE, url, authorization(account)?)
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
        if status.is_success() { Ok(()) } else { Err(unanswered(status, headers, code(body))) }
    }

    /// A page is named by its path, which Twilio gives with the page before.
    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let url = match page {
            Some(path) => format!("{}/{}", account.base(BASE_URL), path.trim_start_matches('/')),
            None => format!("{}/IncomingPhoneNumbers.json?PageSize=1000", url(account)),
        };
        get(url, authorization(account)?)
    }

    fn listed(
        &self,
        _page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered> {
        let Incoming { incoming_phone_numbers, next_page_uri } = read(status, headers, body, code)?;
        let own = |own: Own<'_>| {
            Some(OwnNumber { phone: phone_number(&own.phone_number)?, id: own.sid.into_owned() })
        };
        Ok(OwnNumbers {
            numbers: incoming_phone_numbers.into_iter().filter_map(own).collect(),
            next_page: next_page_uri.map(Cow::into_owned).filter(|uri| !uri.is_empty()),
        })
    }
}
