//! Asks providers about messages that are UNCONFIRMED. Only what they are found to have is told; that they know nothing
//! says nothing. These are questions: they may be asked again, by anybody.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests play servers, which end with the test")]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use muster_domain::phone::PhoneNumber;
use muster_proto::internal::v1::inquiry_service_client::InquiryServiceClient;
use muster_proto::internal::v1::{self, Event, Inquiry as Taken, TakeInquiriesRequest, event};
use muster_providers::{AskedBy, Finding, Inquiry, Reference};
use muster_runtime::batch::Events;
use muster_runtime::clock;
use muster_runtime::directory::Channel;
use muster_runtime::frame::{WireFact, id_from};
use uuid::Uuid;

use crate::account::Accounts;
use crate::http::Pool;
use crate::metrics;
use crate::window::{Stopped, Window};

/// How often the control-plane is asked whether there is anything to ask.
const TIMER: Duration = Duration::from_secs(5);
/// Inquiries that are taken at once.
const TAKEN: i32 = 50;
/// Questions to one account that are open at once: they are not urgent, and providers limit them.
const OPEN_MAX: usize = 2;
/// How long a provider may take to answer one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks what is to be asked.
pub(crate) struct Inquirer {
    client: InquiryServiceClient<Channel>,
    node: String,
    accounts: Arc<Accounts>,
    pool: Arc<Pool>,
    events: Events,
    stopped: Stopped,
}

impl Inquirer {
    pub(crate) fn new(
        channel: Channel,
        node: String,
        accounts: Arc<Accounts>,
        pool: Arc<Pool>,
        events: Events,
        stopped: Stopped,
    ) -> Self {
        Self { client: InquiryServiceClient::new(channel), node, accounts, pool, events, stopped }
    }

    /// Asks until it fails.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(TIMER).await;
            while self.round().await? {}
        }
    }

    /// Takes some and asks about them, each account on its own. Returns whether there may be more.
    async fn round(&self) -> anyhow::Result<bool> {
        let request = TakeInquiriesRequest { node: self.node.clone(), inquiries_max: TAKEN };
        let taken = self.client.clone().take_inquiries(request).await?.into_inner().inquiries;
        let more = taken.len() >= usize::try_from(TAKEN)?;
        let mut accounts: BTreeMap<Bytes, Vec<Taken>> = BTreeMap::new();
        for taken in taken {
            accounts.entry(taken.account_id.clone()).or_default().push(taken);
        }
        let ask = |taken| self.ask_account(taken);
        stream::iter(accounts.into_values()).for_each_concurrent(None, ask).await;
        Ok(more)
    }

    /// Asks one account about its messages, until a question is not answered: the others come again, as this one does.
    async fn ask_account(&self, taken: Vec<Taken>) {
        let silent = AtomicBool::new(false);
        let ask = async |taken: Taken| {
            if silent.load(Ordering::Relaxed) {
                return;
            }
            match tokio::time::timeout(PATIENCE, self.ask(&taken)).await {
                Ok(Some(event)) => {
                    // Where the process goes down first, it is asked again.
                    let _ = self.events.report(event).await;
                }
                Ok(None) => {}
                Err(_elapsed) => silent.store(true, Ordering::Relaxed),
            }
        };
        stream::iter(taken).for_each_concurrent(OPEN_MAX, ask).await;
    }

    /// What the provider is found to know of a message.
    async fn ask(&self, taken: &Taken) -> Option<Event> {
        let window = Window::of_claim(clock::instant(), self.stopped.clone());
        let account = self.accounts.get(id_from(&taken.account_id)?, &window).await.ok()?;
        let inquiries = account.adapter.inquiries()?;
        let (to, from) = (phone(&taken.to), phone(&taken.from));
        let known = Some(taken.provider_message_id.as_str()).filter(|id| !id.is_empty());
        if known.is_none() && taken.ambiguous && !inquiries.asked_by().contains(&AskedBy::Reference) {
            return None;
        }
        let inquiry = Inquiry {
            provider_message_id: known,
            reference: reference(taken)?,
            to: &to,
            from: &from,
            body: &taken.body,
            since_s: taken.since_us / 1_000_000,
            until_s: taken.until_us / 1_000_000,
            others: &taken.other_ids,
        };
        let request = inquiries.inquire(&account.credentials, &inquiry).ok()??;
        let asked = self.pool.call(request, &window).await;
        let provider = account.adapter.provider();
        let Ok(reply) = asked else {
            metrics::inquiry(provider, "unanswered");
            return None;
        };
        let finding = inquiries.finding(&inquiry, reply.status, &reply.headers, &reply.body);
        metrics::inquiry(
            provider,
            match finding {
                Finding::Found { .. } => "found",
                Finding::NotFound => "not_found",
                Finding::Unclear => "unclear",
            },
        );
        match finding {
            Finding::Found { fact, provider_message_id } => {
                let WireFact { kind, error_class, error_code } = fact.into();
                let receipt = v1::Receipt {
                    message_id: taken.message_id.clone(),
                    attempt: taken.attempt,
                    fact: kind.into(),
                    error_class,
                    error_code,
                    provider_message_id,
                    asked: true,
                    ..v1::Receipt::default()
                };
                Some(Event {
                    time_us: clock::now_us(),
                    tenant_id: taken.tenant_id.clone(),
                    kind: Some(event::Kind::Receipt(receipt)),
                })
            }
            Finding::NotFound | Finding::Unclear => None,
        }
    }
}

fn phone(e164: &str) -> PhoneNumber {
    PhoneNumber::from_e164_trusted(e164)
}

fn reference(taken: &Taken) -> Option<Reference> {
    let message: Uuid = id_from(&taken.message_id)?;
    Some(Reference { message, attempt: taken.attempt.try_into().ok()? })
}
