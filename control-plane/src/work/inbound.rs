//! Replies: kept once each, obeyed at once where they are STOP or START, and told to watchers.

use muster_domain::consent::{Keyword, keyword};
use muster_proto::internal::v1::{OptOutRecord, ReplyRecord};
use muster_runtime::{clock, frame};
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::conversations::{conversation_reply, opt_out_delete, opt_out_insert};
use crate::store::media::NewMedium;
use crate::store::replies::{Kept, Reply, ReplyKeyword, reply_insert};
use crate::store::watchers::{OptOutCause, Record};
use crate::work::facts::InboundReply;

/// Applies replies in the order they came in, and says how many were known. Adds what their tenants' watchers are told.
pub(crate) async fn apply(
    tx: &SystemTx<'_>,
    replies: Vec<InboundReply>,
    told: &mut Vec<(Uuid, Record)>,
) -> anyhow::Result<usize> {
    let mut known = 0;
    for reply in replies {
        known += usize::from(!apply_one(tx, reply, told).await?);
    }
    Ok(known)
}

/// What watchers are told of an opt-out or, where `opted_out` is false, an opt-in.
pub(crate) fn opt_out_record(phone: String, opted_out: bool, cause: OptOutCause, time: Micros) -> Record {
    Record::OptOut(OptOutRecord { phone, opted_out, cause: cause as u32, time_us: time.0 })
}

fn reply_record(reply: Reply, kept: &Kept) -> Record {
    let id = |id: Option<Uuid>| id.map(frame::id_bytes).unwrap_or_default();
    let answers = kept.answers.as_ref();
    Record::Reply(ReplyRecord {
        reply_id: frame::id_bytes(reply.id),
        from: reply.from,
        to: reply.to,
        body: reply.body,
        media_urls: reply.media_urls,
        keyword: u32::from(reply.keyword.unsigned_abs()),
        time_us: reply.receive_time.0,
        number_id: id(kept.number),
        campaign_id: id(answers.map(|text| text.campaign)),
        message_id: id(answers.map(|text| text.message)),
    })
}

/// Applies a reply; false where it was known.
async fn apply_one(
    tx: &SystemTx<'_>,
    received: InboundReply,
    told: &mut Vec<(Uuid, Record)>,
) -> anyhow::Result<bool> {
    let InboundReply { tenant, time, inbound } = received;
    let Some(account) = frame::id_from(&inbound.account_id) else {
        tracing::error!("a reply without a provider account is passed over");
        return Ok(true);
    };
    let keyword = keyword(&inbound.body);
    let shown = match keyword {
        Some(Keyword::Stop) => ReplyKeyword::Stop,
        Some(Keyword::Start) => ReplyKeyword::Start,
        Some(Keyword::Help) => ReplyKeyword::Help,
        // YES from someone who had not opted out is an answer, so it is shown as one.
        Some(Keyword::StartIfOptedOut) | None => ReplyKeyword::None,
    };
    let reply = Reply {
        id: clock::new_id(),
        tenant,
        account,
        provider_message_id: inbound.provider_message_id,
        from: inbound.from,
        to: inbound.to,
        body: inbound.body,
        media_urls: inbound.media_urls,
        keyword: shown as i16,
        receive_time: time,
        erase_time: None,
    };
    let media: Vec<NewMedium> =
        reply.media_urls.iter().map(|_| NewMedium::of(tenant)).collect::<muster_runtime::Result<_>>()?;
    // A reply delivered twice must not act twice: STOP, START, and STOP again late would end opted out.
    let Some(kept) = reply_insert(tx, &reply, &media).await? else { return Ok(false) };
    conversation_reply(tx, &reply, &kept).await?;
    let changed = match keyword {
        Some(Keyword::Stop) => opt_out_insert(tx, tenant, &reply.from, time).await?,
        Some(Keyword::Start | Keyword::StartIfOptedOut) => opt_out_delete(tx, tenant, &reply.from).await?,
        Some(Keyword::Help) | None => false,
    };
    if changed {
        let out = keyword == Some(Keyword::Stop);
        told.push((tenant, opt_out_record(reply.from.clone(), out, OptOutCause::Reply, time)));
    }
    told.push((tenant, reply_record(reply, &kept)));
    Ok(true)
}
