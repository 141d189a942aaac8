//! What Sinch can be asked about a text: the state of it by Sinch's own id; and by our reference, which answers
//! whether a call without an answer was acted on, whatever became of the answer.

use std::borrow::Cow;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::webhook::Receipt;
use super::{Sinch, plan};
use crate::credentials::bearer;
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, edge, time};

impl Inquiries for Sinch {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Reference]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let path = match inquiry.provider_message_id {
            Some(id) => {
                let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
                format!("/batches/{id}/delivery_report/{}", inquiry.to.as_e164())
            }
            None => {
                let mut query = Serializer::new(String::new());
                query.append_pair("page_size", "10");
                // Else Sinch goes back a day and no further.
                query.append_pair("start_date", &time::rfc3339(inquiry.since_s));
                query.append_pair("client_reference", &inquiry.reference.to_string());
                format!("/batches?{}", query.finish())
            }
        };
        let request = Request::get(plan(account, &path)).header(AUTHORIZATION, bearer(&account.api_secret)?);
        request.body(Bytes::new()).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        match (inquiry.provider_message_id, status) {
            (Some(id), StatusCode::OK) => reported(id, body),
            (Some(_), StatusCode::NOT_FOUND) => Finding::NotFound,
            (None, StatusCode::OK) => listed(&inquiry.reference.to_string(), body),
            (_, _) => Finding::Unclear,
        }
    }
}

/// What the delivery report for the batch of this id says.
fn reported(id: &str, body: &[u8]) -> Finding {
    match serde_json::from_slice::<Receipt<'_>>(body) {
        Ok(receipt) if receipt.batch_id == id => Finding::Found {
            fact: receipt.fact().unwrap_or(Fact::Accepted),
            provider_message_id: id.to_owned(),
        },
        Ok(_) | Err(_) => Finding::Unclear,
    }
}

/// Whether the batches that Sinch lists for our reference have one of that reference. Of its state they say nothing.
fn listed(reference: &str, body: &[u8]) -> Finding {
    let Ok(Page { batches }) = serde_json::from_slice::<Page<'_>>(body) else { return Finding::Unclear };
    match batches.iter().find(|batch| batch.client_reference.as_deref() == Some(reference)) {
        Some(batch) => match edge::message_id(&batch.id) {
            Some(provider_message_id) => Finding::Found { fact: Fact::Accepted, provider_message_id },
            None => Finding::Unclear,
        },
        None if batches.is_empty() => Finding::NotFound,
        // A list of others is no answer to the question.
        None => Finding::Unclear,
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    batches: Vec<Batch<'a>>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    client_reference: Option<Cow<'a, str>>,
}
