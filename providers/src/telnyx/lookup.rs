//! Telnyx Number Lookup: the carrier's type.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Telnyx, code, url};
use crate::ask::{get, read};
use crate::credentials::bearer;
use crate::{Account, LineType, LookUps, Unanswered};

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    carrier: Option<Carrier<'a>>,
}

#[derive(Deserialize)]
struct Carrier<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

impl LookUps for Telnyx {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        let url = format!("{}/number_lookup/{}?type=carrier", url(account), phone.as_e164());
        get(url, bearer(&account.api_secret)?)
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let found: Found<'_> = match read(status, headers, body, code) {
            // Telnyx refuses to look up what is no number.
            Err(Unanswered { error, .. }) if error.class == ErrorClass::InvalidRecipient => {
                return Ok(LineType::Invalid);
            }
            read => read?,
        };
        let told = found.data.carrier.and_then(|carrier| carrier.r#type);
        Ok(match told.as_deref() {
            Some("mobile") => LineType::Mobile,
            Some("fixed line") => LineType::Landline,
            Some("voip") => LineType::Voip,
            Some("toll free") => LineType::TollFree,
            // "fixed line or mobile" among them.
            Some(_) | None => LineType::Unknown,
        })
    }
}
