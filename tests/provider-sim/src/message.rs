//! What passes between the simulated provider and Muster's webhooks.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::account::Account;
use crate::ledger::{Entry, ReplyEntry};
use crate::target::Target;

/// A text that was accepted.
pub(crate) struct Message {
    pub(crate) entry: Entry,
    pub(crate) account: Arc<Account>,
    /// Where its receipts go. Without it there are none.
    pub(crate) callback: Option<Target>,
}

/// A receipt of a text.
#[derive(Clone)]
pub(crate) struct Receipt {
    pub(crate) message: Arc<Message>,
    /// In the provider's own word.
    pub(crate) state: Cow<'static, str>,
    pub(crate) code: Option<u32>,
    pub(crate) stage: Stage,
}

/// Which of a text's receipts it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The text is on its way.
    Interim,
    /// What became of it.
    Final,
}

/// A reply from a phone.
pub(crate) struct Reply {
    pub(crate) account: Arc<Account>,
    pub(crate) target: Arc<Target>,
    /// As the ledger will have it; its time is set when it was answered.
    pub(crate) entry: ReplyEntry,
}

/// What a webhook tells.
#[derive(Clone)]
pub(crate) enum News {
    Receipt(Receipt),
    Reply(Arc<Reply>),
}

/// How a webhook is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Signed, and tried again until it is answered with a 2xx.
    Faithful,
    /// Signed, and tried once.
    Once,
    /// Signed wrongly, and tried once.
    Forged,
}

/// A webhook on its way.
pub(crate) struct Post {
    pub(crate) news: News,
    pub(crate) conduct: Conduct,
    /// How often it was tried before.
    pub(crate) tries: u8,
    /// Who wants to know the status it was last answered with, if it was answered at all.
    pub(crate) watcher: Option<oneshot::Sender<Option<u16>>>,
}

impl Post {
    pub(crate) fn of(news: News) -> Self {
        Self { news, conduct: Conduct::Faithful, tries: 0, watcher: None }
    }

    /// With somebody who waits for what comes of it.
    pub(crate) fn watched(news: News, conduct: Conduct) -> (Self, oneshot::Receiver<Option<u16>>) {
        let (watcher, answer) = oneshot::channel();
        (Self { news, conduct, tries: 0, watcher: Some(watcher) }, answer)
    }

    /// Where it goes. `None` for receipts that nobody asked for.
    pub(crate) fn target(&self) -> Option<&Target> {
        match &self.news {
            News::Receipt(receipt) => receipt.message.callback.as_ref(),
            News::Reply(reply) => Some(&reply.target),
        }
    }
}
