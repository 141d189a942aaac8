//! What Sinch can be asked about a text: the state of it by Sinch's own id; and by our reference, which answers
//! whether a call without an answer was acted on, whatever became of the answer.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::status::Fact;
use serde::Deserialize;

use super::webhook::Receipt;
use super::{Sinch, plan};
use crate::credentials::bearer;
use crate::time::rfc3339;
use crate::{Account, AskedBy, Finding, Inquiries, Inquiry, ask, edge};

impl Inquiries for Sinch {
    fn asked_by(&self) -> &'static [AskedBy] {
        &[AskedBy::ProviderId, AskedBy::Reference]
    }

    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error> {
        let url = match inquiry.provider_message_id {
            Some(id) => {
                let (id, to) = (ask::segment(id), inquiry.to.as_e164());
                plan(account, &format!("/batches/{id}/delivery_report/{to}"))
            }
            None => {
                let (since, reference) = (rfc3339(inquiry.since_s), inquiry.reference.to_string());
                // Without a start Sinch goes back a day and no further.
                let query = [("page_size", "10"), ("start_date", &*since), ("client_reference", &*reference)];
                ask::with_query(&plan(account, "/batches"), &query)
            }
        };
        ask::get(url, bearer(&account.api_secret)?).map(Some)
    }

    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, _: &HeaderMap, body: &[u8]) -> Finding {
        match inquiry.provider_message_id {
            Some(id) => reported(id, status, body),
            None => listed(&inquiry.reference.to_string(), status, body),
        }
    }
}

/// What the delivery report for the batch of this id says.
fn reported(id: &str, status: StatusCode, body: &[u8]) -> Finding {
    match ask::read_inquiry::<Receipt<'_>>(status, body) {
        Ok(receipt) if receipt.batch_id == id => Finding::Found {
            fact: receipt.fact().unwrap_or(Fact::Accepted),
            provider_message_id: id.to_owned(),
        },
        Ok(_) => Finding::Unclear,
        Err(finding) => finding,
    }
}

/// Whether the batches that Sinch lists for our reference have one of that reference. Of its state they say nothing.
fn listed(reference: &str, status: StatusCode, body: &[u8]) -> Finding {
    // The list is always there, be it empty.
    let batches = match ask::read_inquiry::<Page<'_>>(status, body) {
        Ok(Page { batches }) => batches,
        Err(_) => return Finding::Unclear,
    };
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
