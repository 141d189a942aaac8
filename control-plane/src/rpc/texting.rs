//! Texting: what a texter does. One click queues one message, and the history keeps whose click it was.

use std::sync::Arc;

use muster_domain::id::TenantId;
use muster_domain::permission::Permission;
use muster_domain::status::{Decision, Status as MessageStatus};
use muster_proto::v1::texting_service_server::TextingService;
use muster_proto::v1::{ClaimContactsRequest, ClaimContactsResponse, Message, SendMessageRequest};
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result, name};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::hours::{Window, clock, open_at};
use crate::rpc::campaigns::CAMPAIGN;
use crate::rpc::messages::{MESSAGE, encode};
use crate::rpc::{Api, resource};
use crate::store::campaigns::{Campaign, CampaignState, Mode, campaign_get};
use crate::store::conversations::{conversation_assign, conversation_is_of};
use crate::store::messages::{
    self, assignment_end, assignments_claim, message_expire_time_set, message_get, messages_get,
};
use crate::store::queue::queue_return;
use crate::store::tenants::tenant_window;
use crate::store::transitions::{Attempt, Moved, decide, record};

/// Contacts that a texter takes where the call does not say.
const CLAIM_DEFAULT: i64 = 50;
/// Contacts that a texter takes at once at most.
const CLAIM_MAX: i64 = 200;
/// The longest name of a texter or a session, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Who takes contacts or sends: the caller, or whom a caller names who may send in the name of any texter.
fn texter(caller: Caller, text: &str) -> Result<String> {
    let own = caller.name();
    if text.is_empty() || text == own {
        return Ok(own);
    }
    if !caller.may(Permission::TextingDelegate) {
        return Err(Error::forbidden(format!(
            "to send in another's name needs the permission {}",
            Permission::TextingDelegate
        )));
    }
    let sound = text.chars().count() <= NAME_CHARS_MAX && !text.contains('\0');
    if sound {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("texter", format!("must have at most {NAME_CHARS_MAX} characters")))
    }
}

fn session(text: &str) -> Result<&str> {
    let sound = text.chars().count() <= NAME_CHARS_MAX && !text.contains('\0');
    if sound {
        Ok(text)
    } else {
        Err(Error::invalid("session", format!("must have at most {NAME_CHARS_MAX} characters")))
    }
}

fn count(wanted: i32) -> Result<i64> {
    match i64::from(wanted) {
        0 => Ok(CLAIM_DEFAULT),
        count @ 1..=CLAIM_MAX => Ok(count),
        _ => Err(Error::invalid("count", format!("must be 1 to {CLAIM_MAX}, or 0 for {CLAIM_DEFAULT}"))),
    }
}

fn running(campaign: &Campaign) -> Result<()> {
    if campaign.state == CampaignState::Running {
        Ok(())
    } else {
        Err(Error::precondition("CAMPAIGN_STATE", "the campaign is not running"))
    }
}

/// Queues a message that `texter` has, because of their click.
async fn click(
    tx: &TenantTx<'_>,
    campaign: &Campaign,
    message: &messages::Message,
    window: Window,
    (texter, session): (&str, &str),
) -> Result<Moved> {
    running(campaign)?;
    if !assignment_end(tx, campaign.id, message.id, texter).await? {
        return Err(not_assigned());
    }
    let now = Micros::now();
    if open_at(&message.to, window, now) != now {
        let message = format!(
            "it is outside of the hours in which this person may be texted, {} to {} by their clock",
            clock(window.open),
            clock(window.close)
        );
        return Err(Error::precondition("OUTSIDE_SENDING_HOURS", message));
    }
    message_expire_time_set(tx, message.id, Micros(now.0 + i64::from(campaign.validity_s) * 1_000_000))
        .await?;
    let cause: Arc<str> = format!("texter:{texter}/{session}").into();
    let attempt = Attempt { message: message.id, attempt: message.attempt, number: None };
    let moved = decide(tx, Decision::Queue, MessageStatus::Created, &[attempt], &cause).await?;
    let ids: Vec<Uuid> = moved.iter().map(|transition| transition.message).collect();
    queue_return(tx, &ids, &vec![now; ids.len()]).await?;
    conversation_assign(tx, message, texter, now).await?;
    Ok(record(tx, &moved).await?)
}

/// What the audit log says of a message: its name and its status, not to whom it goes or what it says.
fn named(tenant: TenantId, message: &messages::Message) -> Message {
    let name = name::format(MESSAGE, &[tenant.0, message.id]);
    Message { name, status: i32::from(message.status), ..Message::default() }
}

async fn message_of(tx: &TenantTx<'_>, id: Uuid, name: &str) -> Result<messages::Message> {
    message_get(tx, id).await?.ok_or_else(|| Error::not_found(name))
}

/// A message that was sent before, where the caller may see it: those whom they have texted themselves are theirs to see,
/// and all others need the permission.
async fn theirs(
    tx: &TenantTx<'_>,
    caller: Caller,
    texter: &str,
    message: messages::Message,
) -> Result<messages::Message> {
    if caller.may(Permission::MessagesRead) || conversation_is_of(tx, &message, texter).await? {
        Ok(message)
    } else {
        Err(not_assigned())
    }
}

fn not_assigned() -> Error {
    Error::precondition("NOT_ASSIGNED", "the message is not assigned to this texter")
}

impl Api {
    async fn send(
        &self,
        (caller, act): (Caller, Act),
        (tenant, id): (TenantId, Uuid),
        request: &SendMessageRequest,
    ) -> Result<messages::Message> {
        let texter = &*texter(caller, &request.texter)?;
        let session = session(&request.session)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let message = message_of(&tx, id, &request.name).await?;
        if message.status != MessageStatus::Created.code() {
            return theirs(&tx, caller, texter, message).await;
        }
        let campaign = campaign_get(&tx, message.campaign).await?;
        let campaign = campaign.ok_or_else(|| Error::not_found(&request.name))?;
        let window = tenant_window(&tx, tenant.0).await?.and(self.hours);
        let moved = match click(&tx, &campaign, &message, window, (texter, session)).await {
            Ok(moved) => moved,
            Err(error) if error.code() == tonic::Code::FailedPrecondition => {
                // Another click of the same texter may have been faster by a moment: that one counts.
                let now = message_of(&tx, id, &request.name).await?;
                let sent = now.status != MessageStatus::Created.code();
                return if sent { theirs(&tx, caller, texter, now).await } else { Err(error) };
            }
            Err(error) => return Err(error),
        };
        let _telling = self.nudges.telling(moved);
        let before = named(tenant, &message);
        let message = message_of(&tx, id, &request.name).await?;
        tx.commit(act.changed(&before, &named(tenant, &message))?).await?;
        self.nudges.dispatch.notify_one();
        self.nudges.statuses.notify_one();
        Ok(message)
    }
}

#[tonic::async_trait]
impl TextingService for Api {
    async fn claim_contacts(
        &self,
        request: Request<ClaimContactsRequest>,
    ) -> Result<Response<ClaimContactsResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let (tenant, id) = resource(caller, CAMPAIGN, &request.campaign, "campaign")?;
        let texter = &*texter(caller, &request.texter)?;
        let count = count(request.count)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let campaign = campaign_get(&tx, id).await?.ok_or_else(|| Error::not_found(&request.campaign))?;
        running(&campaign)?;
        if campaign.mode != Mode::Click {
            return Err(Error::precondition("CAMPAIGN_MODE", "the campaign is not sent by click").into());
        }
        let ids = assignments_claim(&tx, id, texter, count).await?;
        let messages = messages_get(&tx, &ids).await?;
        let taken = messages.iter().map(|message| named(tenant, message)).collect();
        let change = act.about(request.campaign).after(&ClaimContactsResponse { messages: taken })?;
        tx.commit(change).await?;
        let messages = messages.into_iter().map(|message| encode(tenant, message)).collect();
        Ok(Response::new(ClaimContactsResponse { messages }))
    }

    async fn send_message(&self, request: Request<SendMessageRequest>) -> Result<Response<Message>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let (tenant, id) = resource(caller, MESSAGE, &request.name, "name")?;
        let message = self.send((caller, act), (tenant, id), &request).await?;
        Ok(Response::new(encode(tenant, message)))
    }
}
