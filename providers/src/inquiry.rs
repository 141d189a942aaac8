//! Asking a provider what became of a text that nobody knows of: the call timed out, or its answer could not be read.
//!
//! Silence proves nothing here either. A text is found on positive evidence only, and one that is not found may still
//! come to light: nothing in this file ever permits a second call.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use muster_domain::status::Fact;

use crate::{Account, Reference};

/// A text that nobody knows of, and all that we know of it.
#[derive(Clone, Debug)]
pub struct Inquiry<'a> {
    /// The provider's own id, where a receipt or an answer told it.
    pub provider_message_id: Option<&'a str>,
    /// Our own id.
    pub reference: Reference,
    /// The phone it went to.
    pub to: &'a PhoneNumber,
    /// Our number that it came from.
    pub from: &'a PhoneNumber,
    /// The text itself.
    pub body: &'a str,
    /// The first second in which the provider may have accepted it, since the Unix epoch.
    pub since_s: i64,
    /// The last.
    pub until_s: i64,
    /// The provider's own ids of our other texts between these two phones: whatever is found, it is none of these. Where
    /// a text between them has no id yet and may have been accepted in the same seconds, do not ask by phones.
    pub others: &'a [String],
}

/// By what a provider can be asked about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// By its own id.
    ProviderId,
    /// By our reference.
    Reference,
    /// By the two phones and the time, and it tells the body: compared with ours.
    PhonesAndBody,
    /// By the two phones and the time; it does not tell the body. Only a text that was alone is found.
    Phones,
}

/// What an inquiry came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The provider has the text.
    Found {
        /// What it says became of it. Never that it was not accepted.
        fact: Fact,
        /// Its own id.
        provider_message_id: String,
    },
    /// The provider knows of no such text now. It may do so later: lists lag behind.
    NotFound,
    /// It did not say, or it has several texts that may be this one.
    Unclear,
}

/// Asks a provider about texts.
pub trait Inquiries: Send + Sync {
    /// By what it can be asked, best first.
    fn asked_by(&self) -> &'static [AskedBy];

    /// The one HTTP request that asks. `None` where what we know of the text is not enough.
    ///
    /// # Errors
    /// Where the account cannot be put on the wire.
    fn inquire(
        &self,
        account: &Account,
        inquiry: &Inquiry<'_>,
    ) -> Result<Option<Request<Bytes>>, http::Error>;

    /// What the answer to [`Inquiries::inquire`] means, for the same `inquiry`.
    fn finding(&self, inquiry: &Inquiry<'_>, status: StatusCode, headers: &HeaderMap, body: &[u8])
    -> Finding;
}

/// A text as a provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The provider's own id.
    pub(crate) provider_message_id: Option<String>,
    /// What became of it; `None` for a state that the provider does not document.
    pub(crate) fact: Option<Fact>,
    /// The phones, as the provider writes them.
    pub(crate) to: String,
    pub(crate) from: String,
    /// What it says, where the provider tells.
    pub(crate) body: Option<String>,
    /// When the provider took it, where that can be read.
    pub(crate) time_s: Option<i64>,
}

impl Listed {
    /// As found: that the provider has it is certain even where its state is in words that nobody documents.
    pub(crate) fn found(self) -> Finding {
        match self.provider_message_id {
            Some(provider_message_id) => {
                Finding::Found { fact: self.fact.unwrap_or(Fact::Accepted), provider_message_id }
            }
            None => Finding::Unclear,
        }
    }

    /// Whether it may be the text that is looked for; `None` where that cannot be told.
    fn fits(&self, inquiry: &Inquiry<'_>) -> Option<bool> {
        let is = |told: &str, ours: &PhoneNumber| told.trim_start_matches('+') == &ours.as_e164()[1..];
        let known = |id: &String| inquiry.others.contains(id);
        if !is(&self.to, inquiry.to)
            || !is(&self.from, inquiry.from)
            || self.provider_message_id.as_ref().is_some_and(known)
            || self.body.as_ref().is_some_and(|body| body.trim() != inquiry.body.trim())
        {
            return Some(false);
        }
        Some((inquiry.since_s..=inquiry.until_s).contains(&self.time_s?))
    }
}

/// The one text among `listed` that is looked for. `complete`: whether these are all that the provider has.
pub(crate) fn the_one(inquiry: &Inquiry<'_>, listed: Vec<Listed>, complete: bool) -> Finding {
    let mut fitting = Vec::new();
    for text in listed {
        match text.fits(inquiry) {
            Some(true) => fitting.push(text),
            Some(false) => {}
            None => return Finding::Unclear,
        }
    }
    match (fitting.pop(), fitting.is_empty(), complete) {
        (Some(one), true, true) => one.found(),
        (None, _, true) => Finding::NotFound,
        (Some(_) | None, _, _) => Finding::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn listed(id: &str, time_s: i64) -> Listed {
        Listed {
            provider_message_id: Some(id.to_owned()),
            fact: Some(Fact::ReceiptSent),
            to: "12025550123".to_owned(),
            from: "+14155550100".to_owned(),
            body: Some("hi ".to_owned()),
            time_s: Some(time_s),
        }
    }

    fn ask(listed: Vec<Listed>, others: &[String], complete: bool) -> Finding {
        let phone = |e164: &str| PhoneNumber::from_e164_trusted(e164);
        let inquiry = Inquiry {
            provider_message_id: None,
            reference: Reference { message: Uuid::nil(), attempt: 1 },
            to: &phone("+12025550123"),
            from: &phone("+14155550100"),
            body: "hi",
            since_s: 100,
            until_s: 110,
            others,
        };
        the_one(&inquiry, listed, complete)
    }

    #[test]
    fn only_a_text_that_was_alone_is_found() {
        let found = |id: &str| Finding::Found { fact: Fact::ReceiptSent, provider_message_id: id.to_owned() };
        assert_eq!(ask(vec![listed("a", 100), listed("b", 111)], &[], true), found("a"));
        assert_eq!(ask(vec![listed("a", 100), listed("b", 110)], &[], true), Finding::Unclear);
        assert_eq!(ask(vec![listed("a", 100), listed("b", 110)], &["a".to_owned()], true), found("b"));
        assert_eq!(ask(vec![listed("a", 100)], &[], false), Finding::Unclear);
    }

    #[test]
    fn what_cannot_be_told_is_unclear_and_the_rest_is_not_found() {
        let other = |change: fn(&mut Listed)| {
            let mut text = listed("a", 105);
            change(&mut text);
            ask(vec![text], &[], true)
        };
        assert_eq!(other(|text| text.time_s = None), Finding::Unclear);
        assert_eq!(other(|text| text.provider_message_id = None), Finding::Unclear);
        assert_eq!(other(|text| text.to = "+12025550124".to_owned()), Finding::NotFound);
        assert_eq!(other(|text| text.from.clear()), Finding::NotFound);
        assert_eq!(other(|text| text.body = Some("bye".to_owned())), Finding::NotFound);
        assert_eq!(ask(vec![], &[], true), Finding::NotFound);
        assert_eq!(ask(vec![], &[], false), Finding::Unclear);
    }
}
