//! The simulator's state, and the life of a text in it: accepted, entered, receipted, replied to.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use muster_domain::provider::Provider;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::account::{Account, Accounts};
use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::dialect::dialect;
use crate::id::Ids;
use crate::ledger::book::{Accepted, Book};
use crate::ledger::{Entry, ReplyEntry};
use crate::lock;
use crate::message::{Message, News, Post, Receipt, Reply, Stage};
use crate::plan::{Leg, Mood, Plan, PlannedReply};
use crate::post::Outbox;
use crate::schedule::Schedule;
use crate::send::SendRequest;
use crate::stats::{Counters, one_more};
use crate::target::Target;

/// A picture that a phone sends.
const PICTURE: &str = "/picture.png";

/// All that the simulator knows.
pub(crate) struct Sim {
    pub(crate) seed: u64,
    pub(crate) ids: Ids,
    pub(crate) clock: Clock,
    pub(crate) accounts: Accounts,
    pub(crate) book: Book,
    pub(crate) counters: Counters,
    pub(crate) schedule: Schedule,
    pub(crate) outbox: Outbox,
    behaviour: Mutex<Arc<Behaviour>>,
    calls: AtomicU64,
    replies: AtomicU64,
    /// Who has opted out of which number: `(phone, number)`.
    opted_out: Mutex<HashSet<(Box<str>, Box<str>)>>,
    /// Told when nothing is pending any more.
    quiet: Notify,
    /// Its base URL, once it listens.
    url: OnceLock<String>,
}

/// A call that was accepted, or is to be.
pub(crate) struct Call<'a> {
    pub(crate) account: &'a Arc<Account>,
    pub(crate) request: &'a SendRequest<'a>,
    pub(crate) target: Option<Target>,
    /// Whether the caller will not be told that it was accepted.
    pub(crate) silent: bool,
}

impl Sim {
    pub(crate) fn open(seed: u64, ledger: &Path) -> io::Result<Self> {
        Ok(Self {
            seed,
            ids: Ids::new(seed),
            clock: Clock::new(),
            accounts: Accounts::default(),
            book: Book::open(ledger)?,
            counters: Counters::default(),
            schedule: Schedule::default(),
            outbox: Outbox::default(),
            behaviour: Mutex::default(),
            calls: AtomicU64::new(0),
            replies: AtomicU64::new(0),
            opted_out: Mutex::default(),
            quiet: Notify::new(),
            url: OnceLock::new(),
        })
    }

    /// Takes note of where it can be reached.
    pub(crate) fn listens_at(&self, url: &str) {
        let _ = self.url.set(url.to_owned());
    }

    /// The URL of a medium. What begins with a slash is one that this simulator serves for the account.
    pub(crate) fn medium(&self, account: &Account, medium: &str) -> Box<str> {
        let (url, provider, sid) =
            (self.url.get().map_or("", String::as_str), account.provider, &account.sid);
        match medium.strip_prefix('/') {
            Some(name) => format!("{url}/media/{provider}/{sid}/{name}").into(),
            None => medium.into(),
        }
    }

    pub(crate) fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&lock(&self.behaviour))
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *lock(&self.behaviour) = Arc::new(behaviour);
    }

    /// What befalls the next call.
    pub(crate) fn mood(&self, behaviour: &Behaviour) -> Mood {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        Mood::draw(behaviour, Chance::of(self.seed, &[b"call", &call.to_le_bytes()]))
    }

    pub(crate) fn has_opted_out(&self, phone: &str, number: &str) -> bool {
        let all = lock(&self.opted_out);
        !all.is_empty() && all.contains(&(phone.into(), number.into()))
    }

    /// Accepts a text: enters it into the ledger and decides what is to become of it.
    pub(crate) fn accept(&self, behaviour: &Behaviour, call: Call<'_>) -> (Arc<Message>, Plan) {
        let Call { account, request, target, silent } = call;
        let dialect = dialect(account.provider);
        let chance = Chance::of(self.seed, &[request.to.as_bytes(), request.body.as_bytes()]);
        let plan = Plan::draw(behaviour, dialect.codes(), chance);
        let time_us = self.clock.unix_us();
        let named = |name| target.as_ref().and_then(|target| target.parameter(name));
        // Whose text it is, its callback says or, where it has none of its own, its reference.
        let (message_id, attempt) = request.reference.split_once('-').unzip();
        let (message_id, attempt) = (named("m").or(message_id), named("a").or(attempt));
        let (entry, accepted) = self.book.accept(|number| Entry {
            time_us,
            message_id: message_id.and_then(|id| Uuid::parse_str(id).ok()),
            attempt: attempt.and_then(|attempt| attempt.parse().ok()).unwrap_or_default(),
            provider: account.provider,
            account: account.sid.clone(),
            to: request.to.as_ref().into(),
            from: request.from.as_ref().into(),
            provider_id: dialect.id(self.ids.id(number), !request.media.is_empty()),
            outcome: plan.outcome,
            final_us: time_us + plan.last.after_ms * 1_000,
            final_lost: plan.last.copies == 0,
            silent,
            body: request.body.as_ref().into(),
            media: request.media.iter().map(|url| url.as_ref().into()).collect(),
        });
        if let Some(target) = &target {
            account.callback.get_or_init(|| target.with_parameters(&[]));
        }
        one_more(&self.counters.accepted);
        match accepted {
            Accepted::First => {}
            Accepted::Again => one_more(&self.counters.duplicates_accepted),
        }
        if silent {
            one_more(&self.counters.accepted_in_silence);
        }
        (Arc::new(Message { entry, account: Arc::clone(account), callback: target }), plan)
    }

    /// The two receipts that `plan` has for `message`, each with its leg.
    pub(crate) fn receipts(&self, message: &Arc<Message>, plan: &Plan) -> [(Receipt, Leg); 2] {
        let dialect = dialect(message.account.provider);
        let receipt = |state: &'static str, code, stage| Receipt {
            message: Arc::clone(message),
            state: state.into(),
            code,
            stage,
        };
        let (state, code) = dialect.state_final(plan.outcome);
        [
            (receipt(dialect.state_sent(), None, Stage::Interim), plan.sent),
            (receipt(state, code, Stage::Final), plan.last),
        ]
    }

    /// Posts the receipts of `message` when they are due, counted from `after_ms` on.
    pub(crate) fn post_receipts(self: &Arc<Self>, message: &Arc<Message>, plan: &Plan, after_ms: u64) {
        if message.callback.is_none() {
            return;
        }
        for (receipt, leg) in self.receipts(message, plan) {
            self.count_lost(&receipt, leg);
            for copy in 0..leg.copies {
                // The second copy comes a little later, so that it is not just the same packet twice.
                let at_ms = after_ms + leg.after_ms + u64::from(copy) * 10;
                self.post_after(at_ms, Post::of(News::Receipt(receipt.clone())));
            }
        }
    }

    pub(crate) fn count_lost(&self, receipt: &Receipt, leg: Leg) {
        // A `sent` receipt that is not wanted at all was not lost.
        if leg.copies == 0 && (receipt.stage == Stage::Final || self.behaviour().sent_receipts) {
            one_more(&self.counters.receipts_lost);
        }
    }

    /// Lets the recipient of `message` reply as `plan` has it.
    pub(crate) fn post_reply(self: &Arc<Self>, message: &Message, plan: &Plan, after_ms: u64) {
        let Some(planned) = &plan.reply else { return };
        let Some(target) = &message.account.inbound else { return };
        let reply = |body: &str, media: &[&str]| {
            let entry = ReplyEntry {
                time_us: 0,
                provider: message.account.provider,
                account: message.account.sid.clone(),
                from: message.entry.to.clone(),
                to: message.entry.from.clone(),
                provider_id: self.reply_id(message.account.provider, !media.is_empty()),
                body: body.into(),
                media: media.iter().map(|medium| self.medium(&message.account, medium)).collect(),
            };
            let (account, target) = (Arc::clone(&message.account), Arc::clone(target));
            Arc::new(Reply { account, target, entry })
        };
        let PlannedReply { after_ms: reply_ms, body, has_media, copies, start_after_ms } = *planned;
        let first = reply(body, if has_media { &[PICTURE] } else { &[] });
        for copy in 0..u64::from(copies) {
            self.post_after(after_ms + reply_ms + copy * 10, Post::of(News::Reply(Arc::clone(&first))));
        }
        if let Some(start_ms) = start_after_ms {
            self.post_after(after_ms + start_ms, Post::of(News::Reply(reply("START", &[]))));
        }
    }

    /// Takes note of a STOP or START that Muster has answered: the provider itself blocks such phones.
    pub(crate) fn heed(&self, reply: &ReplyEntry) {
        let pair = || (reply.from.clone(), reply.to.clone());
        match reply.body.trim().to_ascii_uppercase().as_str() {
            "STOP" => {
                one_more(&self.counters.stops_acked);
                lock(&self.opted_out).insert(pair());
            }
            "START" => {
                one_more(&self.counters.starts_acked);
                lock(&self.opted_out).remove(&pair());
            }
            _ => {}
        }
    }

    /// An id for the next reply.
    pub(crate) fn reply_id(&self, provider: Provider, has_media: bool) -> Box<str> {
        let number = self.replies.fetch_add(1, Ordering::Relaxed);
        // The start time is in it: a simulator that is started again must not repeat the ids of the last.
        let parts = [b"reply".as_slice(), &number.to_le_bytes(), &self.clock.unix_us().to_le_bytes()];
        let mut chance = Chance::of(self.seed, &parts);
        let id = (u128::from(chance.draw()) << 64) | u128::from(chance.draw());
        let versioned = uuid::Builder::from_random_bytes(id.to_be_bytes()).into_uuid();
        dialect(provider).id(versioned.as_u128(), has_media)
    }

    /// Posts a webhook in `after_ms`.
    pub(crate) fn post_after(self: &Arc<Self>, after_ms: u64, post: Post) {
        one_more(&self.counters.webhooks_pending);
        self.post_again_after(after_ms, post);
    }

    /// The same for one that has been pending all along.
    pub(crate) fn post_again_after(self: &Arc<Self>, after_ms: u64, post: Post) {
        match after_ms {
            0 => self.post(post),
            _ => self.schedule.add(self.clock.elapsed_ms() + after_ms, post),
        }
    }

    /// Posts a webhook that is due.
    pub(crate) fn post(self: &Arc<Self>, post: Post) {
        Outbox::put(self, post);
    }

    /// Counts a webhook that is done with, one way or the other.
    pub(crate) fn done(&self) {
        if self.counters.webhooks_pending.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.quiet.notify_waiters();
        }
    }

    /// Waits until no webhook is pending.
    pub(crate) async fn quiet(&self) {
        loop {
            let told = self.quiet.notified();
            if self.counters.webhooks_pending.load(Ordering::Relaxed) == 0 {
                return;
            }
            told.await;
        }
    }
}
