//! What differs between the simulated providers: one file each.

mod bandwidth;
mod plivo;
mod sinch;
mod telnyx;
mod twilio;
mod vonage;

use std::borrow::Cow;

use http::Method;
use muster_domain::provider::Provider;

use crate::account::{Account, AccountSpec, Refused, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Conduct, News, Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

/// Every dialect that is spoken here.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn Dialect> {
    Provider::ALL.into_iter().map(dialect)
}

/// How one provider reads and writes.
pub(crate) trait Dialect: Send + Sync {
    /// Whose it is.
    fn provider(&self) -> Provider;

    /// Its codes.
    fn codes(&self) -> &'static Codes;

    /// The content type of its webhooks.
    fn webhook_type(&self) -> &'static str;

    /// The status of a call that was accepted.
    fn accepted_status(&self) -> u16;

    /// The `Authorization` header that an account's calls carry.
    fn authorization(&self, spec: &AccountSpec) -> String;

    /// What an account's webhooks are signed with, and what they are verified with.
    ///
    /// # Errors
    /// Where the account's secret is not of the provider's form.
    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused>;

    /// What a call is for. `None`: its path is none of this provider's.
    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>>;

    /// What a call that sends asks for.
    ///
    /// # Errors
    /// Where the call cannot be read.
    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal>;

    /// The answer to a call that was accepted, and to a look-up: the text in state `state`.
    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, now: &Second) -> String;

    /// Which texts a list is to have, by the query of the call.
    fn filter(&self, query: &str) -> Filter;

    /// The answer to a call for a list: these texts, newest first, each as it stands now.
    fn listed(&self, texts: &[Standing], filter: &Filter, now: &Second) -> String;

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

    /// Whether a webhook is posted again that was answered so, or not at all, for the `tries`th time.
    fn tries_again(&self, answer: Option<u16>, tries: u8, target: &Target) -> bool;

    /// Writes a receipt.
    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>);

    /// Writes a reply.
    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>);

    /// Writes the headers that prove where the letter comes from; `spoil` goes into what is signed, so that a forged
    /// letter carries a signature that does not fit.
    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]);
}

/// Whether somebody who answers so cannot do better at the moment.
fn is_busy(answer: Option<u16>) -> bool {
    answer.is_none_or(|status| status == 429 || status >= 500)
}

/// The dialect of `provider`.
pub(crate) fn dialect(provider: Provider) -> &'static dyn Dialect {
    match provider {
        Provider::Twilio => &twilio::Twilio,
        Provider::Telnyx => &telnyx::Telnyx,
        Provider::Bandwidth => &bandwidth::Bandwidth,
        Provider::Plivo => &plivo::Plivo,
        Provider::Vonage => &vonage::Vonage,
        Provider::Sinch => &sinch::Sinch,
    }
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    /// The account, where the path names it; else the call's `Authorization` does.
    pub(crate) account: Option<&'a str>,
    /// What for.
    pub(crate) asks: Asks<'a>,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks<'a> {
    /// It sends a text.
    Send,
    /// It asks for the text of this id.
    Text(&'a str),
    /// It asks for a list of texts.
    List,
    /// Nothing that is simulated.
    Other,
}

/// Which texts a list is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Their recipient and their sender, in E.164 form.
    pub(crate) to: Option<String>,
    /// See `to`.
    pub(crate) from: Option<String>,
    /// The provider's own id.
    pub(crate) id: Option<String>,
    /// Our reference, as the caller gave it with the text.
    pub(crate) reference: Option<String>,
    /// When they were accepted, in microseconds since the Unix epoch: from then, until then.
    pub(crate) since_us: Option<u64>,
    /// See `since_us`.
    pub(crate) until_us: Option<u64>,
    /// How many at most.
    pub(crate) size: usize,
}

impl Filter {
    /// Every text, `size` at most.
    pub(crate) fn all(size: usize) -> Self {
        Self { to: None, from: None, id: None, reference: None, since_us: None, until_us: None, size }
    }

    /// Whether a text is to be in the list.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.to, &entry.to)
            && is(&self.from, &entry.from)
            && is(&self.id, &entry.provider_id)
            && self.reference.as_ref().is_none_or(|wanted| Some(wanted) == reference_of(entry).as_ref())
            && self.since_us.is_none_or(|since| since <= entry.time_us)
            && self.until_us.is_none_or(|until| entry.time_us <= until)
    }
}

/// A text as it stands now.
pub(crate) struct Standing {
    pub(crate) entry: Entry,
    pub(crate) state: &'static str,
    pub(crate) code: Option<u32>,
}

/// The reference that a text came with: Muster writes it as the id's 32 digits, a hyphen and the attempt.
pub(crate) fn reference_of(entry: &Entry) -> Option<String> {
    Some(format!("{}-{}", entry.message_id?.as_simple(), entry.attempt))
}

/// A value that a query has under `name`, decoded.
pub(crate) fn value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes()).find_map(|(key, value)| (key == name).then_some(value))
}

/// The microsecond of a time in RFC 3339 form.
pub(crate) fn micros(time: &str) -> Option<u64> {
    time.parse::<jiff::Timestamp>().ok()?.as_microsecond().try_into().ok()
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
        let spoil: &[u8] = match signing.conduct {
            Conduct::Faithful | Conduct::Once => b"",
            Conduct::Forged => b"forged",
        };
        dialect.sign(self, signing, spoil);
    }

    /// Adds a header line.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.headers.push_str(part);
        }
    }
}
