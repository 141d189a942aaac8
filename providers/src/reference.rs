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
