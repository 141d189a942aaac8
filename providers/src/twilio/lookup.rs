//! Twilio Lookup: line type intelligence.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Twilio, authorization, code};
use crate::ask::{get, read};
use crate::{Account, LineType, LookUps, Unanswered};

const BASE_URL: &str = "https://lookups.twilio.com";

#[derive(Deserialize)]
struct Found<'a> {
    valid: bool,
    #[serde(borrow)]
    line_type_intelligence: Option<Intelligence<'a>>,
}

#[derive(Deserialize)]
struct Intelligence<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
}

impl LookUps for Twilio {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        let (base, phone) = (account.base(BASE_URL), phone.as_e164());
        let url = format!("{base}/v2/PhoneNumbers/{phone}?Fields=line_type_intelligence");
        get(url, authorization(account)?)
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let found: Found<'_> = read(status, headers, body, code)?;
        if !found.valid {
            return Ok(LineType::Invalid);
        }
        let told = found.line_type_intelligence.and_then(|line| line.r#type);
        Ok(match told.as_deref() {
            Some("mobile") => LineType::Mobile,
            Some("landline") => LineType::Landline,
            Some("fixedVoip" | "nonFixedVoip") => LineType::Voip,
            Some("tollFree") => LineType::TollFree,
            Some(_) | None => LineType::Unknown,
        })
    }
}
