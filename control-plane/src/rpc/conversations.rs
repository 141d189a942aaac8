//! Conversations, replies with their media, and opt-outs.

mod media;
mod replies;

use std::cmp::Reverse;
use std::collections::HashMap;

use futures::stream::BoxStream;
use muster_domain::id::TenantId;
use muster_domain::permission::Permission;
use muster_proto::v1::conversation_service_server::ConversationService;
use muster_proto::v1::{
    Conversation, ConversationText, GetConversationRequest, ListConversationTextsRequest,
    ListConversationTextsResponse, ListConversationsRequest, ListConversationsResponse, ListOptOutsRequest,
    ListOptOutsResponse, ListRepliesRequest, ListRepliesResponse, OptOut, ReadReplyMediaRequest,
    ReadReplyMediaResponse, Reply, conversation_text,
};
use muster_runtime::access::Caller;
use muster_runtime::{Error, name};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{Micros, TenantTx};
use crate::rpc::campaigns::CAMPAIGN;
use crate::rpc::messages::{CONTACT, MESSAGE};
use crate::rpc::{Api, caller, messages, missing, page, reference, resource, tenant_of_parent};
use crate::store::campaigns::campaign_get;
use crate::store::conversations::{
    self, Moment, Said, Wanted, conversation_get, conversation_texts, conversations_list, opt_outs_list,
};
use crate::store::messages::messages_get;
use crate::store::replies::{replies_get, replies_list};

const CONVERSATION: &str = "tenants/*/conversations/*";

/// Who may not see all conversations sees those in which they have sent last themselves.
fn own_only(caller: Caller) -> Option<String> {
    (!caller.may(Permission::ConversationsRead)).then(|| caller.name())
}

fn encode(tenant: TenantId, conversation: conversations::Conversation) -> Conversation {
    let named =
        |pattern, id: Option<Uuid>| id.map(|id| name::format(pattern, &[tenant.0, id])).unwrap_or_default();
    let contact =
        conversation.contact.map(|(list, contact)| name::format(CONTACT, &[tenant.0, list, contact]));
    Conversation {
        name: name::format(CONVERSATION, &[tenant.0, conversation.id]),
        phone_number: conversation.phone,
        number: conversation.number,
        texter: conversation.texter,
        message: named(MESSAGE, conversation.message),
        campaign: named(CAMPAIGN, conversation.campaign),
        contact: contact.unwrap_or_default(),
        text_time: conversation.text_time.map(Micros::timestamp),
        reply_time: conversation.reply_time.map(Micros::timestamp),
        // Nothing was said before all times.
        unanswered: conversation.reply_time > conversation.text_time,
    }
}

/// A conversation that the caller may see; any other is as if it were not there.
async fn theirs(
    tx: &TenantTx<'_>,
    caller: Caller,
    id: Uuid,
    name: &str,
) -> Result<conversations::Conversation, Error> {
    let found = conversation_get(tx, id, own_only(caller).as_deref()).await?;
    found.ok_or_else(|| Error::not_found(name))
}

/// What was said, in its order.
async fn texts(tx: &TenantTx<'_>, tenant: TenantId, said: Vec<Said>) -> Result<Vec<ConversationText>, Error> {
    let ids =
        |sent| said.iter().filter(|said| said.sent == sent).map(|said| said.at.1).collect::<Vec<Uuid>>();
    let sent = messages_get(tx, &ids(true)).await?.into_iter();
    let mut sent: HashMap<Uuid, _> = sent.map(|message| (message.id, message)).collect();
    let received = replies_get(tx, &ids(false)).await?;
    let keys: Vec<Uuid> = received.iter().map(|known| known.reply.id).collect();
    let received = keys.into_iter().zip(replies::encode_all(tx, tenant, received).await?);
    let mut received: HashMap<Uuid, Reply> = received.collect();
    let texts = said.into_iter().filter_map(|said| {
        let Moment(time, id) = said.at;
        let text = if said.sent {
            conversation_text::Text::Message(messages::encode(tenant, sent.remove(&id)?))
        } else {
            conversation_text::Text::Reply(received.remove(&id)?)
        };
        Some(ConversationText { text: Some(text), time: Some(time.timestamp()) })
    });
    Ok(texts.collect())
}

#[tonic::async_trait]
impl ConversationService for Api {
    type ReadReplyMediaStream = BoxStream<'static, Result<ReadReplyMediaResponse, Status>>;

    async fn get_conversation(
        &self,
        request: Request<GetConversationRequest>,
    ) -> Result<Response<Conversation>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, CONVERSATION, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        Ok(Response::new(encode(tenant, theirs(&tx, caller, id, &name).await?)))
    }

    async fn list_conversations(
        &self,
        request: Request<ListConversationsRequest>,
    ) -> Result<Response<ListConversationsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let campaign = match &*request.campaign {
            "" => None,
            campaign => Some(reference(tenant, CAMPAIGN, campaign, "campaign")?),
        };
        let asked = Some(request.texter).filter(|texter| !texter.is_empty());
        let texter = own_only(caller).or(asked);
        let scope =
            format!("conversations {} {texter:?} {campaign:?} {}", request.parent, request.unanswered);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        if let Some(campaign) = campaign {
            let found = campaign_get(&tx, campaign).await?;
            found.ok_or_else(|| missing("campaign", &request.campaign))?;
        }
        let wanted = Wanted { texter: texter.as_deref(), campaign, unanswered: request.unanswered };
        let mut rows = conversations_list(&tx, &wanted, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |conversation| {
            Reverse(Moment(conversation.reply_time.unwrap_or(Micros(0)), conversation.id))
        });
        let conversations = rows.into_iter().map(|conversation| encode(tenant, conversation)).collect();
        Ok(Response::new(ListConversationsResponse { conversations, next_page_token }))
    }

    async fn list_conversation_texts(
        &self,
        request: Request<ListConversationTextsRequest>,
    ) -> Result<Response<ListConversationTextsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (tenant, id) = resource(caller, CONVERSATION, &request.parent, "parent")?;
        let scope = format!("conversation texts {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let conversation = theirs(&tx, caller, id, &request.parent).await?;
        let mut said = conversation_texts(&tx, &conversation, &page).await?;
        let next_page_token = ask.finish(&mut said, &page, |said| said.at);
        let texts = texts(&tx, tenant, said).await?;
        Ok(Response::new(ListConversationTextsResponse { texts, next_page_token }))
    }

    async fn list_replies(
        &self,
        request: Request<ListRepliesRequest>,
    ) -> Result<Response<ListRepliesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let texter = own_only(caller);
        let scope = format!("replies {} {texter:?}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = replies_list(&tx, texter.as_deref(), &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |known| known.reply.id);
        let replies = replies::encode_all(&tx, tenant, rows).await?;
        Ok(Response::new(ListRepliesResponse { replies, next_page_token }))
    }

    async fn read_reply_media(
        &self,
        request: Request<ReadReplyMediaRequest>,
    ) -> Result<Response<Self::ReadReplyMediaStream>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        Ok(Response::new(self.read_medium(caller, &name).await?))
    }

    async fn list_opt_outs(
        &self,
        request: Request<ListOptOutsRequest>,
    ) -> Result<Response<ListOptOutsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("opt-outs {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = opt_outs_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |opt_out| opt_out.phone.clone());
        let opt_outs = rows.into_iter().map(|opt_out| OptOut {
            phone_number: opt_out.phone,
            create_time: Some(opt_out.create_time.timestamp()),
        });
        Ok(Response::new(ListOptOutsResponse { opt_outs: opt_outs.collect(), next_page_token }))
    }
}
