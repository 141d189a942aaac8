//! A webhook written and signed, and not posted: whoever asks may change it, and post it themselves.

use serde::{Deserialize, Serialize};

use super::posted::{InboundSpec, ReceiptSpec, receipt_of, reply_of};
use super::{Wrong, read, written};
use crate::clock::Second;
use crate::dialect::{self, Letter, Signing};
use crate::message::{Conduct, News};
use crate::sim::Sim;

/// A webhook to write: a receipt or a reply. How often, and whether it is forged, says nothing here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LetterSpec {
    /// A receipt.
    #[serde(default)]
    pub receipt: Option<ReceiptSpec>,
    /// A reply, where it is no receipt.
    #[serde(default)]
    pub inbound: Option<InboundSpec>,
    /// How long ago it was signed, in seconds; negative where the provider's clock is ahead.
    #[serde(default)]
    pub age_s: i64,
}

/// A webhook as it would be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where to.
    pub url: String,
    /// What type its body has, and what proves where it comes from.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// Writes one.
pub(super) fn letter(sim: &Sim, body: &[u8]) -> Result<String, Wrong> {
    let spec: LetterSpec = read(body)?;
    let (news, _) = match (spec.receipt, spec.inbound) {
        (Some(receipt), None) => receipt_of(sim, receipt)?,
        (None, Some(inbound)) => reply_of(sim, inbound)?,
        _ => return Err(Wrong::new("a receipt or a reply")),
    };
    let (account, target) = match &news {
        News::Receipt(receipt) => (&receipt.message.account, receipt.message.callback.as_ref()),
        News::Reply(reply) => (&reply.account, Some(&*reply.target)),
    };
    let url = target.ok_or_else(|| Wrong::new("it goes nowhere"))?.url();
    let now = Second::of(sim.clock.second().unix_s - spec.age_s);
    let mut letter = Letter::default();
    letter.write(&news, &Signing { account, url, now: &now, conduct: Conduct::Once });
    let mut headers =
        vec![("Content-Type".to_owned(), dialect::dialect(account.provider).webhook_type().to_owned())];
    let proof = letter.headers.lines().filter_map(|line| line.split_once(": "));
    headers.extend(proof.map(|(name, value)| (name.to_owned(), value.to_owned())));
    written(&Written { url: url.to_owned(), headers, body: letter.body })
}
