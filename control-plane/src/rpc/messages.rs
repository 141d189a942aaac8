//! Messages: where each of them is, and how it came there.

use muster_domain::id::TenantId;
use muster_domain::status::Status as MessageStatus;
use muster_proto::v1::message_service_server::MessageService;
use muster_proto::v1::{GetMessageRequest, HistoryEntry, ListMessagesRequest, ListMessagesResponse, Message};
use muster_runtime::{Error, name};
use tonic::{Request, Response, Status};

use crate::db::{Micros, TenantTx};
use crate::rpc::campaigns::CAMPAIGN;
use crate::rpc::{Api, caller, missing, page, reference, resource, tenant_of_parent};
use crate::store::campaigns::campaign_get;
use crate::store::inquiries::SETTLED_AFTER;
use crate::store::messages::{
    self, HistoryRow, message_get, message_history, messages_list, messages_list_by_status,
};

pub(super) const MESSAGE: &str = "tenants/*/messages/*";
pub(super) const CONTACT: &str = "tenants/*/contactLists/*/contacts/*";

pub(super) fn encode(tenant: TenantId, message: messages::Message) -> Message {
    let waits = [MessageStatus::Sent, MessageStatus::Unconfirmed].map(MessageStatus::code);
    let settled =
        waits.contains(&message.status) && message.update_time.later(SETTLED_AFTER) <= Micros::now();
    Message {
        name: name::format(MESSAGE, &[tenant.0, message.id]),
        campaign: name::format(CAMPAIGN, &[tenant.0, message.campaign]),
        contact: name::format(CONTACT, &[tenant.0, message.list, message.contact]),
        to: message.to,
        from: message.from,
        body: message.body,
        media_urls: if message.erase_time.is_some() { Vec::new() } else { message.media_urls },
        segments: i32::from(message.segments),
        status: i32::from(message.status),
        attempt: i32::from(message.attempt),
        error_class: i32::from(message.error_class),
        error_code: message.error_code,
        create_time: Some(message.create_time.timestamp()),
        update_time: Some(message.update_time.timestamp()),
        history: Vec::new(),
        erase_time: message.erase_time.map(Micros::timestamp),
        settled,
    }
}

/// The statuses to list, each once.
fn statuses(asked: &[i32]) -> Result<Vec<i16>, Error> {
    let status = |(at, code): (usize, &i32)| {
        let known = i16::try_from(*code).ok().and_then(MessageStatus::from_code);
        known.map(MessageStatus::code).ok_or_else(|| {
            Error::invalid(format!("statuses[{at}]"), "must be a status that a message can have")
        })
    };
    let mut statuses = asked.iter().enumerate().map(status).collect::<Result<Vec<i16>, Error>>()?;
    statuses.sort_unstable();
    statuses.dedup();
    Ok(statuses)
}

fn history_entry(row: HistoryRow) -> HistoryEntry {
    HistoryEntry {
        status: i32::from(row.status),
        time: Some(row.time.timestamp()),
        attempt: i32::from(row.attempt),
        cause: row.cause,
        error_class: i32::from(row.error_class),
        error_code: row.error_code,
        provider_message_id: row.provider_message_id,
    }
}

#[tonic::async_trait]
impl MessageService for Api {
    async fn get_message(&self, request: Request<GetMessageRequest>) -> Result<Response<Message>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, MESSAGE, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let message = message_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        let mut message = encode(tenant, message);
        // The first step is kept in the message itself.
        message.history.push(HistoryEntry {
            status: i32::from(MessageStatus::Created.code()),
            time: message.create_time,
            attempt: 1,
            cause: "campaign".to_owned(),
            ..HistoryEntry::default()
        });
        message.history.extend(message_history(&tx, id).await?.into_iter().map(history_entry));
        Ok(Response::new(message))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let campaign = reference(tenant, CAMPAIGN, &request.campaign, "campaign")?;
        let statuses = statuses(&request.statuses)?;
        let scope = format!("messages {} {statuses:?}", request.campaign);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        campaign_get(&tx, campaign).await?.ok_or_else(|| missing("campaign", &request.campaign))?;
        let (mut rows, stretch_end) = match &statuses[..] {
            [] => (messages_list(&tx, campaign, &page).await?, None),
            statuses => messages_list_by_status(&tx, campaign, statuses, &page).await?,
        };
        let next_page_token = match stretch_end {
            Some(contact) => ask.token_after(&contact),
            None => ask.finish(&mut rows, &page, |message| message.contact),
        };
        let messages = rows.into_iter().map(|message| encode(tenant, message)).collect();
        Ok(Response::new(ListMessagesResponse { messages, next_page_token }))
    }
}
