//! Inquiries, taken by sender nodes: messages whose providers are to be asked, because the receipts that would have settled
//! them did not come. They are UNCONFIRMED, or have been SENT for long.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::status::Status as MessageStatus;
use muster_proto::internal::v1::inquiry_service_server::InquiryService;
use muster_proto::internal::v1::{Inquiry, TakeInquiriesRequest, TakeInquiriesResponse};
use muster_runtime::{Error, Result, frame};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::rpc::Api;
use crate::store::inquiries::{
    DueInquiry, TextBetween, inquiries_asked, inquiries_due, inquiries_end, texts_between,
};
use crate::store::transitions::history_add;

/// Inquiries in one call at most.
const TAKEN_MAX: i64 = 100;
/// How long after its claim a text may have been accepted: 10 seconds until the call, 15 for the call, and what clocks are
/// apart.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(60);
/// How far clocks may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(30);

impl Api {
    async fn take_inquiries(&self, limit: i64) -> Result<Vec<Inquiry>> {
        let now = Micros::now();
        let due = now.earlier(self.config.inquiry_delay());
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let (mut ended, mut settled, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for inquiry in inquiries_due(&tx, due, limit).await? {
            if !is_open(inquiry.status) {
                ended.push(inquiry.message);
            } else if inquiry.settle_time() <= now {
                settled.push(inquiry);
            } else {
                asked.push(inquiry);
            }
        }
        let cause: Arc<str> = "settled".into();
        let transitions: Vec<_> = settled.iter().map(|inquiry| inquiry.settled(now, &cause)).collect();
        ended.extend(settled.iter().map(|inquiry| inquiry.message));
        inquiries_end(&tx, &ended).await?;
        history_add(&tx, &transitions).await?;
        let messages: Vec<Uuid> = asked.iter().map(|inquiry| inquiry.message).collect();
        let next: Vec<Micros> = asked.iter().map(|inquiry| inquiry.next(now)).collect();
        inquiries_asked(&tx, &messages, &next).await?;
        let mut others = texts_between(&tx, &asked).await?;
        tx.commit().await?;
        if !settled.is_empty() {
            tracing::warn!(
                messages = settled.len(),
                "nothing more was heard of messages; they stay where they are"
            );
        }
        let inquiries = asked.into_iter().filter_map(|inquiry| {
            let others = others.remove(&inquiry.message).unwrap_or_default();
            encode(inquiry, others)
        });
        Ok(inquiries.collect())
    }
}

/// Whether anything more may be learned of a message: its receipt ends what there is to ask.
fn is_open(status: MessageStatus) -> bool {
    match status {
        MessageStatus::Unconfirmed | MessageStatus::Sent => true,
        MessageStatus::Created
        | MessageStatus::Queued
        | MessageStatus::Ordered
        | MessageStatus::Claimed
        | MessageStatus::Delivered
        | MessageStatus::Undelivered
        | MessageStatus::Failed
        | MessageStatus::Canceled
        | MessageStatus::Suppressed
        | MessageStatus::Expired => false,
    }
}

/// `None` where the text was erased: nothing can be asked about it.
fn encode(inquiry: DueInquiry, others: Vec<TextBetween>) -> Option<Inquiry> {
    let since = inquiry.claim_time.unwrap_or(inquiry.since).0;
    Some(Inquiry {
        message_id: frame::id_bytes(inquiry.message),
        attempt: u32::from(inquiry.attempt.unsigned_abs()),
        tenant_id: frame::id_bytes(inquiry.tenant),
        account_id: frame::id_bytes(inquiry.account),
        to: inquiry.to?,
        from: inquiry.from,
        body: inquiry.body?,
        since_us: since - micros(CLOCKS_APART),
        until_us: since + micros(ACCEPTED_WITHIN + CLOCKS_APART),
        provider_message_id: inquiry.provider_message_id.unwrap_or_default(),
        ambiguous: others.iter().any(may_be_listed_unknown),
        other_ids: others.into_iter().filter_map(|other| other.provider_message_id).collect(),
    })
}

/// Whether the provider may list this text, without our knowing its id.
fn may_be_listed_unknown(other: &TextBetween) -> bool {
    let called = match other.status {
        Some(
            MessageStatus::Created
            | MessageStatus::Queued
            | MessageStatus::Ordered
            | MessageStatus::Canceled
            | MessageStatus::Suppressed
            | MessageStatus::Expired,
        ) => false,
        Some(
            MessageStatus::Claimed
            | MessageStatus::Sent
            | MessageStatus::Delivered
            | MessageStatus::Undelivered
            | MessageStatus::Failed
            | MessageStatus::Unconfirmed,
        )
        | None => true,
    };
    called && other.provider_message_id.is_none()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[tonic::async_trait]
impl InquiryService for Api {
    async fn take_inquiries(
        &self,
        request: Request<TakeInquiriesRequest>,
    ) -> Result<Response<TakeInquiriesResponse>, Status> {
        let limit = i64::from(request.into_inner().inquiries_max);
        if !(1..=TAKEN_MAX).contains(&limit) {
            return Err(Error::invalid("inquiries_max", format!("must be 1 to {TAKEN_MAX}")).into());
        }
        let inquiries = Self::take_inquiries(self, limit).await?;
        Ok(Response::new(TakeInquiriesResponse { inquiries }))
    }
}
