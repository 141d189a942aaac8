//! Telnyx's numbers. A number has to be searched for before it is ordered, and an order takes its time.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Telnyx, code, url};
use crate::ask::{JSON, bodiless, get, post, read, segment, with_query};
use crate::credentials::bearer;
use crate::refusal::unanswered;
use crate::webhook::phone_number;
use crate::{Account, Numbers, OwnNumber, OwnNumbers, Purchase, Unanswered};

/// The longest page of our numbers.
const PAGE_SIZE: &str = "250";

#[derive(Deserialize)]
struct Available<'a> {
    #[serde(borrow)]
    data: Vec<Offer<'a>>,
}

#[derive(Deserialize)]
struct Offer<'a> {
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Ordered<'a> {
    #[serde(borrow)]
    data: Order<'a>,
}

#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    data: Vec<Own<'a>>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Meta {
    page_number: u32,
    total_pages: u32,
}

impl Numbers for Telnyx {
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error> {
        let count = count.to_string();
        let pairs = [
            ("filter[country_code]", "US"),
            ("filter[features]", "sms"),
            ("filter[limit]", count.as_str()),
            ("filter[national_destination_code]", area_code),
            ("filter[phone_number_type]", "local"),
        ];
        let url = with_query(&format!("{}/available_phone_numbers", url(account)), &pairs);
        get(url, bearer(&account.api_secret)?)
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        let Available { data } = read(status, headers, body, code)?;
        Ok(data.iter().filter_map(|offer| phone_number(&offer.phone_number)).collect())
    }

    fn buy(&self, account: &Account, phone: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        let order = serde_json::json!({"phone_numbers": [{"phone_number": phone.as_e164()}]});
        let url = format!("{}/number_orders", url(account));
        post(url, bearer(&account.api_secret)?, JSON, order.to_string()).map(Some)
    }

    fn bought(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Purchase, Unanswered> {
        let Ordered { data } = read(status, headers, body, code)?;
        match data.status.as_ref() {
            "success" => Ok(Purchase::Done),
            "failure" => {
                let error = SendError { class: ErrorClass::SenderNumber, code: "failure".to_owned() };
                Err(Unanswered { error, retry_after_s: None })
            }
            _ => Ok(Purchase::Ordered),
        }
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        let url = format!("{}/phone_numbers/{}", url(account), segment(&number.id));
        bodiless(Method::DELETE, url, bearer(&account.api_secret)?)
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<(), Unanswered> {
        if status.is_success() { Ok(()) } else { Err(unanswered(status, headers, code(body))) }
    }

    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let pairs = [("page[number]", page.unwrap_or("1")), ("page[size]", PAGE_SIZE)];
        let url = with_query(&format!("{}/phone_numbers", url(account)), &pairs);
        get(url, bearer(&account.api_secret)?)
    }

    fn listed(
        &self,
        _page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered> {
        let Listed { data, meta } = read(status, headers, body, code)?;
        let own = |own: Own<'_>| {
            Some(OwnNumber { phone: phone_number(&own.phone_number)?, id: own.id.into_owned() })
        };
        Ok(OwnNumbers {
            numbers: data.into_iter().filter_map(own).collect(),
            next_page: (meta.page_number < meta.total_pages).then(|| (meta.page_number + 1).to_string()),
        })
    }
}
