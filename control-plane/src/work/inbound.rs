//! Replies: kept once each, and obeyed at once where they are STOP or START.

use muster_domain::consent::{Keyword, keyword};
use muster_runtime::{clock, frame};

use crate::db::{Micros, Result, SystemTx};
use crate::store::conversations::{
    Reply, ReplyKeyword, conversation_reply, opt_out_delete, opt_out_insert, reply_insert,
};
use crate::work::facts::InboundReply;

/// Applies replies in the order they came in. Returns when those came that opted somebody out.
pub(crate) async fn apply(tx: &SystemTx<'_>, replies: Vec<InboundReply>) -> Result<Vec<Micros>> {
    let mut stops = Vec::new();
    for reply in replies {
        let time = reply.time;
        if apply_one(tx, reply).await? == Some(Keyword::Stop) {
            stops.push(time);
        }
    }
    Ok(stops)
}

/// Applies one reply. Returns what it asked for, unless it was applied before.
async fn apply_one(tx: &SystemTx<'_>, received: InboundReply) -> Result<Option<Keyword>> {
    let InboundReply { tenant, time, inbound } = received;
    let Some(account) = frame::id_from(&inbound.account_id) else {
        tracing::error!("a reply without a provider account is passed over");
        return Ok(None);
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
    // A reply delivered twice must not act twice: STOP, START, and STOP again late would end opted out.
    if !reply_insert(tx, &reply).await? {
        return Ok(None);
    }
    conversation_reply(tx, &reply).await?;
    match keyword {
        Some(Keyword::Stop) => opt_out_insert(tx, tenant, &reply.from, time).await?,
        Some(Keyword::Start | Keyword::StartIfOptedOut) => opt_out_delete(tx, tenant, &reply.from).await?,
        Some(Keyword::Help) | None => {}
    }
    Ok(keyword)
}
