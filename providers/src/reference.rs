//! Our own name of one attempt at a message, as providers carry it along and give it back.

use std::fmt;
use std::str::FromStr;

use muster_domain::status::ATTEMPTS_MAX;
use uuid::Uuid;

/// The attempt at a message that a text was sent in. Written as the message's 32 hexadecimal digits, a hyphen and the
/// attempt: 38 characters at most, because the shortest reference that a provider documents has 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The message.
    pub message: Uuid,
    /// The attempt, from 1.
    pub attempt: u16,
}

impl Reference {
    /// It as the query of a callback URL.
    pub fn query(self) -> String {
        format!("m={}&a={}", self.message, self.attempt)
    }

    /// Reads the query of a callback URL. `None` where it names no attempt that may have been made: the message alone
    /// does not say what a receipt is evidence of.
    pub fn in_query(query: &str) -> Option<Self> {
        let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let message = Uuid::try_parse(value("m")?).ok()?;
        let attempt = value("a")?.parse().ok().filter(|attempt| (1..=ATTEMPTS_MAX).contains(attempt))?;
        Some(Self { message, attempt })
    }
}

/// The text is no reference of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reference of ours")]
pub struct NotOurs;

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message.as_simple(), self.attempt)
    }
}

/// Takes only what [`fmt::Display`] writes, letter by letter: anybody may put a tag on a text of theirs.
impl FromStr for Reference {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let (message, attempt) = text.split_once('-').ok_or(NotOurs)?;
        let message = Uuid::try_parse(message).map_err(|_| NotOurs)?;
        let attempt = attempt.parse().map_err(|_| NotOurs)?;
        let read = Self { message, attempt };
        ((1..=ATTEMPTS_MAX).contains(&attempt) && read.to_string() == text).then_some(read).ok_or(NotOurs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for attempt in [1, 2, ATTEMPTS_MAX] {
            let reference = Reference { message: Uuid::from_u128(0xab), attempt };
            assert_eq!(reference.to_string().parse(), Ok(reference));
        }
        let longest = Reference { message: Uuid::max(), attempt: u16::MAX }.to_string();
        assert_eq!(longest.len(), 38);
    }

    #[test]
    fn a_query_says_the_message_and_the_attempt_or_neither() {
        let message = Uuid::from_u128(7);
        let found = |attempt| Some(Reference { message, attempt });
        let in_query = |query: &str| Reference::in_query(query);
        assert_eq!(in_query(&Reference { message, attempt: 2 }.query()), found(2));
        assert_eq!(in_query(&format!("bodySHA256=00&a=2&m={message}")), found(2));
        assert_eq!(in_query(&format!("m={message}&a={ATTEMPTS_MAX}")), found(ATTEMPTS_MAX));
        for unreadable in ["", "m=", "m=7&a=x", "m=7&a=1", "mm=7", "a", "a=1"] {
            assert_eq!(in_query(unreadable), None, "{unreadable}");
        }
        let beyond = format!("&a={}", ATTEMPTS_MAX + 1);
        for attempt in ["", "&a", "&a=", "&a=0", "&a=-1", "&a=x", "&a=1.0", "&a=65536", "&a=1%00", &beyond] {
            assert_eq!(in_query(&format!("m={message}{attempt}")), None, "{attempt}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let message = Uuid::from_u128(0xab).as_simple().to_string();
        for attempt in ["", "0", "01", "+1", " 1", "1 ", "1-", "-1", "x", "65536", "99999", "1\0"] {
            assert_eq!(format!("{message}-{attempt}").parse::<Reference>(), Err(NotOurs), "{attempt:?}");
        }
        let upper = message.to_uppercase();
        let hyphenated = Uuid::from_u128(0xab).to_string();
        for message in ["", "ab", &upper, &hyphenated, &format!("{{{message}}}")] {
            assert_eq!(format!("{message}-1").parse::<Reference>(), Err(NotOurs), "{message}");
        }
        assert_eq!(message.parse::<Reference>(), Err(NotOurs));
    }
}
