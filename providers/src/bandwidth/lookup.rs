//! Bandwidth Phone Number Lookup. It does not tell toll-free numbers from others.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use serde::Deserialize;

use super::{Bandwidth, authorization, code};
use crate::ask::{JSON, post, read, segment};
use crate::refusal::unanswered;
use crate::{Account, LineType, LookUps, Unanswered};

const BASE_URL: &str = "https://api.bandwidth.com";

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(default, borrow)]
    results: Vec<Line<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    line_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    latest_message_delivery_status: Option<Cow<'a, str>>,
}

impl LookUps for Bandwidth {
    fn look_up(&self, account: &Account, phone: &PhoneNumber) -> Result<Request<Bytes>, http::Error> {
        let (base, account_id) = (account.base(BASE_URL), segment(&account.account_sid));
        let body = serde_json::json!({"phoneNumbers": [phone.as_e164()]}).to_string();
        let url = format!("{base}/v2/accounts/{account_id}/phoneNumberLookup");
        post(url, authorization(account)?, JSON, body)
    }

    fn line_type(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<LineType, Unanswered> {
        let found: Found<'_> = read(status, headers, body, code)?;
        let line = found.data.results.into_iter().next();
        let line = line.ok_or_else(|| unanswered(status, headers, None))?;
        if line.latest_message_delivery_status.as_deref() == Some("DEACTIVATED") {
            return Ok(LineType::Invalid);
        }
        Ok(match line.line_type.as_deref() {
            Some("MOBILE") => LineType::Mobile,
            Some("FIXED") => LineType::Landline,
            Some("VOIP" | "VOIP-FIXED") => LineType::Voip,
            Some(_) | None => LineType::Unknown,
        })
    }
}
