//! Replies as the API shows them, with their media.

use std::collections::HashMap;

use muster_domain::id::TenantId;
use muster_proto::v1::{Reply, ReplyMedia};
use muster_runtime::{Result, name};
use uuid::Uuid;

use super::CONVERSATION;
use crate::db::{Micros, TenantTx};
use crate::rpc::campaigns::CAMPAIGN;
use crate::rpc::messages::MESSAGE;
use crate::store::media::{Medium, media_of_replies};
use crate::store::replies::KnownReply;

const REPLY: &str = "tenants/*/replies/*";
/// A medium of a reply.
pub(super) const REPLY_MEDIUM: &str = "tenants/*/replies/*/media/*";

/// Replies, in their order.
pub(super) async fn encode_all(
    tx: &TenantTx<'_>,
    tenant: TenantId,
    replies: Vec<KnownReply>,
) -> Result<Vec<Reply>> {
    let with_media = replies.iter().filter(|known| !known.reply.media_urls.is_empty());
    let ids: Vec<Uuid> = with_media.map(|known| known.reply.id).collect();
    let mut media: HashMap<Uuid, Vec<ReplyMedia>> = HashMap::new();
    for medium in media_of_replies(tx, &ids).await? {
        media.entry(medium.reply).or_default().push(encode_medium(tenant, &medium));
    }
    let encoded = replies.into_iter().map(|known| {
        let media = media.remove(&known.reply.id).unwrap_or_default();
        encode(tenant, known, media)
    });
    Ok(encoded.collect())
}

fn encode(tenant: TenantId, known: KnownReply, media: Vec<ReplyMedia>) -> Reply {
    let named =
        |pattern, id: Option<Uuid>| id.map(|id| name::format(pattern, &[tenant.0, id])).unwrap_or_default();
    let KnownReply { reply, conversation, message, campaign } = known;
    Reply {
        name: name::format(REPLY, &[tenant.0, reply.id]),
        from: reply.from,
        to: reply.to,
        body: reply.body,
        media_urls: reply.media_urls,
        keyword: i32::from(reply.keyword),
        receive_time: Some(reply.receive_time.timestamp()),
        erase_time: reply.erase_time.map(Micros::timestamp),
        media,
        conversation: named(CONVERSATION, conversation),
        message: named(MESSAGE, message),
        campaign: named(CAMPAIGN, campaign),
    }
}

/// A medium.
pub(super) fn encode_medium(tenant: TenantId, medium: &Medium) -> ReplyMedia {
    ReplyMedia {
        name: name::format(REPLY_MEDIUM, &[tenant.0, medium.reply, medium.id]),
        state: i32::from(medium.state),
        reason: i32::from(medium.reason),
        content_type: medium.content_type.clone(),
        size_bytes: medium.size_bytes,
    }
}
