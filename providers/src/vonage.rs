//! Vonage: to be written.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::provider::Provider;

use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

/// See the module.
pub(crate) struct Vonage;

#[expect(clippy::todo, reason = "to be written")]
impl Adapter for Vonage {
    fn provider(&self) -> Provider {
        Provider::Vonage
    }
    fn base_url(&self) -> &'static str {
        todo!()
    }
    fn correlation(&self) -> Correlation {
        todo!()
    }
    fn request(&self, _: &Account, _: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        todo!()
    }
    fn answer(&self, _: StatusCode, _: &HeaderMap, _: &[u8]) -> Answer {
        todo!()
    }
    fn verify<'a>(&self, _: &Account, _: WebhookRequest<'a>) -> Result<Verified<'a>, Forged> {
        todo!()
    }
    fn events(&self, _: &Verified<'_>) -> Result<Vec<WebhookEvent>, Unreadable> {
        todo!()
    }
    fn inquiries(&self) -> Option<&dyn Inquiries> {
        None
    }
    fn look_ups(&self) -> Option<&dyn LookUps> {
        None
    }
    fn numbers(&self) -> Option<&dyn Numbers> {
        None
    }
}
