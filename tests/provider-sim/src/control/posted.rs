//! Single webhooks on command: a reply now, or any receipt at all, genuine or forged.

use std::sync::Arc;

use muster_domain::provider::Provider;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Wrong, read, written};
use crate::account::Account;
use crate::ledger::{Entry, Outcome, ReplyEntry};
use crate::message::{Conduct, Message, News, Post, Receipt, Reply, Stage};
use crate::sim::Sim;
use crate::target::Target;

/// A reply to send now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundSpec {
    /// Who replies, in E.164 form.
    pub from: String,
    /// To which of our numbers; its account is found by it.
    pub to: String,
    /// The words.
    #[serde(default)]
    pub body: String,
    /// Media, by URL; what begins with a slash is one that the simulator serves for the account, such as `/picture.png`.
    #[serde(default)]
    pub media: Vec<String>,
    /// Whether its signature is to be wrong.
    #[serde(default)]
    pub forged: bool,
    /// How often it is sent; once where it does not say.
    #[serde(default = "once")]
    pub times: u8,
}

/// A receipt to send now, whatever the text's own plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSpec {
    /// The provider's name, in lower case.
    pub provider: String,
    /// The account that it is for and signed by.
    pub account_sid: String,
    /// In the provider's own word.
    pub state: String,
    /// The provider's code.
    #[serde(default)]
    pub code: Option<u32>,
    /// The text, by Muster's id: what is not given here is taken from the ledger, where the text is there.
    #[serde(default)]
    pub message_id: Option<Uuid>,
    /// The attempt, where it is another than the ledger's, or 1.
    #[serde(default)]
    pub attempt: Option<u16>,
    /// Where to; else where this account's texts had theirs sent, with this text's id put in.
    #[serde(default)]
    pub callback: Option<String>,
    /// The provider's own id of the text.
    #[serde(default)]
    pub provider_id: Option<String>,
    /// The recipient.
    #[serde(default)]
    pub to: Option<String>,
    /// The sender.
    #[serde(default)]
    pub from: Option<String>,
    /// Whether its signature is to be wrong.
    #[serde(default)]
    pub forged: bool,
    /// How often it is sent; once where it does not say.
    #[serde(default = "once")]
    pub times: u8,
}

/// What single webhooks were answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The provider's own id of the text or reply.
    pub provider_id: String,
    /// The status of each answer; null where there was none.
    pub answers: Vec<Option<u16>>,
}

fn once() -> u8 {
    1
}

/// Sends a reply.
pub(super) async fn inbound(sim: &Arc<Sim>, body: &[u8]) -> Result<String, Wrong> {
    let spec: InboundSpec = read(body)?;
    let (conduct, times) = (conduct(spec.forged), spec.times);
    let (news, provider_id) = reply_of(sim, spec)?;
    let answers = post(sim, &news, conduct, times).await;
    written(&Posted { provider_id, answers })
}

/// The reply, and its id.
pub(super) fn reply_of(sim: &Sim, spec: InboundSpec) -> Result<(News, String), Wrong> {
    let account = sim.accounts.owner_of(&spec.to).ok_or_else(|| Wrong::new("no account owns that number"))?;
    let target = account.inbound.clone().ok_or_else(|| Wrong::new("its account has no inbound_url"))?;
    let media: Vec<Box<str>> = spec.media.iter().map(|medium| sim.medium(&account, medium)).collect();
    let entry = ReplyEntry {
        time_us: 0,
        provider: account.provider,
        account: account.sid.clone(),
        from: spec.from.into(),
        to: spec.to.into(),
        provider_id: sim.reply_id(account.provider, !media.is_empty()),
        body: spec.body.into(),
        media,
    };
    let provider_id = entry.provider_id.clone().into();
    Ok((News::Reply(Arc::new(Reply { account, target, entry })), provider_id))
}

/// Sends a receipt.
pub(super) async fn receipt(sim: &Arc<Sim>, body: &[u8]) -> Result<String, Wrong> {
    let spec: ReceiptSpec = read(body)?;
    let (conduct, times) = (conduct(spec.forged), spec.times);
    let (news, provider_id) = receipt_of(sim, spec)?;
    let answers = post(sim, &news, conduct, times).await;
    written(&Posted { provider_id, answers })
}

/// The receipt, and the provider's own id of its text.
pub(super) fn receipt_of(sim: &Sim, spec: ReceiptSpec) -> Result<(News, String), Wrong> {
    let provider: Provider = spec.provider.parse().map_err(Wrong::new)?;
    let account = sim.accounts.find(provider, &spec.account_sid);
    let account = account.ok_or_else(|| Wrong::new("no such account"))?;
    let entry = entry(sim, &account, &spec)?;
    let callback = callback(&account, &spec, &entry)?;
    let provider_id = entry.provider_id.clone().into();
    let stage = if spec.state == "sent" { Stage::Interim } else { Stage::Final };
    let message = Arc::new(Message { entry, account, callback: Some(callback) });
    let receipt = Receipt { message, state: spec.state.into(), code: spec.code, stage };
    Ok((News::Receipt(receipt), provider_id))
}

fn conduct(forged: bool) -> Conduct {
    if forged { Conduct::Forged } else { Conduct::Once }
}

/// One after the other, each tried once.
async fn post(sim: &Arc<Sim>, news: &News, conduct: Conduct, times: u8) -> Vec<Option<u16>> {
    let mut answers = Vec::new();
    for _ in 0..times {
        let (post, answer) = Post::watched(news.clone(), conduct);
        sim.post_after(0, post);
        answers.push(answer.await.ok().flatten());
    }
    answers
}

/// The text that the receipt is about: the ledger's, or one made up for the purpose.
fn entry(sim: &Sim, account: &Account, spec: &ReceiptSpec) -> Result<Entry, Wrong> {
    let known = match spec.message_id {
        Some(message_id) => sim.book.entry_of(message_id).map_err(Wrong::new)?,
        None => None,
    };
    let made_up = || Entry {
        time_us: sim.clock.unix_us(),
        message_id: spec.message_id,
        attempt: 1,
        provider: account.provider,
        account: account.sid.clone(),
        to: "+12025550123".into(),
        from: "+14155550100".into(),
        provider_id: sim.reply_id(account.provider, false),
        outcome: Outcome::Delivered,
        final_us: 0,
        final_lost: false,
        silent: false,
        body: "".into(),
        media: Vec::new(),
    };
    let mut entry = known.unwrap_or_else(made_up);
    let replace = |field: &mut Box<str>, with: &Option<String>| {
        if let Some(with) = with {
            *field = with.as_str().into();
        }
    };
    replace(&mut entry.provider_id, &spec.provider_id);
    replace(&mut entry.to, &spec.to);
    replace(&mut entry.from, &spec.from);
    entry.attempt = spec.attempt.unwrap_or(entry.attempt);
    // Whoever the text belongs to: an account's provider speaks of it as that account's.
    entry.account = account.sid.clone();
    Ok(entry)
}

fn callback(account: &Account, spec: &ReceiptSpec, entry: &Entry) -> Result<Target, Wrong> {
    if let Some(callback) = &spec.callback {
        return Target::parse(callback).map_err(Wrong::new);
    }
    let known = account.callback.get().ok_or_else(|| Wrong::new("no callback is known yet: give one"))?;
    let message_id = spec.message_id.map(|id| id.to_string()).unwrap_or_default();
    Ok(known.with_parameters(&[("m", &message_id), ("a", &entry.attempt.to_string())]))
}
