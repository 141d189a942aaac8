//! Plivo Lookup: the carrier's type.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Plivo, authorization, no_code};
use crate::ask::{get, read};
use crate::{Account, LineType, LookUps, Unanswered};

const BASE_URL: &str = "https://lookup.plivo.com";

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    carrier: Option<Carrier<'a>>,
}

#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

impl LookUps for Plivo {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        let (base, phone) = (account.base(BASE_URL), phone.as_e164());
        get(format!("{base}/v1/Number/{phone}?type=carrier"), authorization(account)?)
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let found: Found<'_> = read(status, headers, body, no_code)?;
        let told = found.carrier.and_then(|carrier| carrier.r#type);
        Ok(match told.as_deref() {
            Some("mobile") => LineType::Mobile,
            Some("fixed") => LineType::Landline,
            Some("voip") => LineType::Voip,
            Some(_) | None => LineType::Unknown,
        })
    }
}
