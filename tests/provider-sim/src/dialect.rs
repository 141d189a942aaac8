//! What differs between the simulated providers: one file each.

mod telnyx;
mod twilio;

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_domain::provider::Provider;

use crate::account::{Account, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Conduct, News, Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};

/// How one provider reads and writes.
pub(crate) trait Dialect: Send + Sync {
    /// Its codes.
    fn codes(&self) -> &'static Codes;

    /// The content type of its webhooks.
    fn webhook_type(&self) -> &'static str;

    /// The status of a call that was accepted.
    fn accepted_status(&self) -> u16;

    /// What a call asks for.
    ///
    /// # Errors
    /// Where the call cannot be read.
    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal>;

    /// The answer to a call that was accepted, and to a look-up: the text in state `state`.
    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, now: &Second) -> String;

    /// The answer to a call that was refused.
    fn refused(&self, refusal: Refusal) -> String;

    /// Its own id of a text or reply.
    fn id(&self, number: u128, has_media: bool) -> Box<str>;

    /// The number of which [`Dialect::id`] made `id`.
    fn number(&self, id: &str) -> Option<u128>;

    /// The provider's words for a text that is in its queue, that is on its way, and that ended.
    fn state_queued(&self) -> &'static str;
    /// See [`Dialect::state_queued`].
    fn state_sent(&self) -> &'static str;
    /// See [`Dialect::state_queued`].
    fn state_final(&self, outcome: Outcome) -> (&'static str, Option<u32>);

    /// Writes a receipt.
    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>);

    /// Writes a reply.
    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>);
}

/// The dialect of `provider`.
pub(crate) fn dialect(provider: Provider) -> &'static dyn Dialect {
    match provider {
        Provider::Twilio => &twilio::Twilio,
        Provider::Telnyx => &telnyx::Telnyx,
    }
}

/// What a webhook is signed with.
pub(crate) struct Signing<'a> {
    pub(crate) account: &'a Account,
    pub(crate) url: &'a str,
    pub(crate) now: &'a Second,
    pub(crate) conduct: Conduct,
}

/// A webhook as it is written. Kept from one to the next, so that none needs new memory.
#[derive(Default)]
pub(crate) struct Letter {
    /// The header lines that carry the signature.
    pub(crate) headers: String,
    pub(crate) body: String,
    /// What is signed, where that is not just the body.
    signed: Vec<u8>,
}

impl Letter {
    /// Writes `news`, signed.
    pub(crate) fn write(&mut self, news: &News, signing: &Signing<'_>) {
        self.headers.clear();
        self.body.clear();
        self.signed.clear();
        let dialect = dialect(signing.account.provider);
        match news {
            News::Receipt(receipt) => dialect.receipt(self, receipt, signing),
            News::Reply(reply) => dialect.reply(self, reply, signing),
        }
        self.sign(signing);
    }

    fn sign(&mut self, signing: &Signing<'_>) {
        let spoil: &[u8] = match signing.conduct {
            Conduct::Faithful | Conduct::Once => b"",
            Conduct::Forged => b"forged",
        };
        let written = match &signing.account.signer {
            Signer::Twilio(hmac) => {
                self.signed.extend_from_slice(spoil);
                write!(self.headers, "X-Twilio-Signature: {}\r\n", hmac.sign(&self.signed))
            }
            Signer::Telnyx(pair) => {
                let unix_s = signing.now.unix_s;
                self.signed.extend_from_slice(format!("{unix_s}|").as_bytes());
                self.signed.extend_from_slice(self.body.as_bytes());
                self.signed.extend_from_slice(spoil);
                let signature = STANDARD.encode(pair.sign(&self.signed));
                write!(
                    self.headers,
                    "telnyx-timestamp: {unix_s}\r\ntelnyx-signature-ed25519: {signature}\r\n"
                )
            }
        };
        written.expect("a String takes every write");
    }
}
