//! Replies: kept once each, and obeyed at once where they are STOP or START.

use muster_domain::consent::{Keyword, keyword};
use muster_runtime::{clock, frame};

use crate::db::{Micros, SystemTx};
use crate::store::conversations::{conversation_reply, opt_out_delete, opt_out_insert};
use crate::store::media::NewMedium;
use crate::store::replies::{Reply, ReplyKeyword, reply_insert};
use crate::work::facts::InboundReply;

/// What replies came to.
#[derive(Default)]
pub(crate) struct Applied {
    /// How many were known.
    pub(crate) known: usize,
    /// When those came that opted somebody out.
    pub(crate) stops: Vec<Micros>,
}

/// Applies replies in the order they came in.
pub(crate) async fn apply(tx: &SystemTx<'_>, replies: Vec<InboundReply>) -> anyhow::Result<Applied> {
    let mut applied = Applied::default();
    for reply in replies {
        let (time, stop) = (reply.time, keyword(&reply.inbound.body) == Some(Keyword::Stop));
        if !apply_one(tx, reply).await? {
            applied.known += 1;
        } else if stop {
            applied.stops.push(time);
        }
    }
    Ok(applied)
}

/// Applies a reply; false where it was known.
async fn apply_one(tx: &SystemTx<'_>, received: InboundReply) -> anyhow::Result<bool> {
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
    match keyword {
        Some(Keyword::Stop) => opt_out_insert(tx, tenant, &reply.from, time).await?,
        Some(Keyword::Start | Keyword::StartIfOptedOut) => opt_out_delete(tx, tenant, &reply.from).await?,
        Some(Keyword::Help) | None => {}
    }
    Ok(true)
}
