//! Where a watcher is in the stream of status changes, as an opaque token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_runtime::{Error, Result};

/// A place in one stream. Sequences begin again where a stream is made anew, so the time that the stream was
/// made belongs to it: a token of another stream must not pass for a place in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// When the stream was made, in nanoseconds since the Unix epoch.
    pub(super) stream: u64,
    /// The last sequence that the watcher has.
    pub(super) sequence: u64,
}

impl Position {
    /// The token that says it.
    pub(super) fn token(self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.stream.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, naming `resume_token`, where it is not one of ours.
    pub(super) fn from_token(token: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let bytes: Option<[u8; 16]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let both = bytes.map(u128::from_be_bytes).ok_or_else(|| {
            Error::invalid("resume_token", "must be the `resume_token` of a frame that was received")
        })?;
        let [stream, sequence] =
            [both >> 64, both & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(u64::MAX));
        Ok(Self { stream, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_it_is_from() {
        let position = Position { stream: u64::MAX - 7, sequence: 42 };
        assert_eq!(Position::from_token(&position.token()).expect("ours"), position);
    }

    #[test]
    fn another_token_is_refused_by_name() {
        for token in ["x", "42", "AAAAAAAAAAAAAAAAAAAAA", &URL_SAFE_NO_PAD.encode([0; 17])] {
            let error = Position::from_token(token).expect_err(token);
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
            assert!(error.to_string().starts_with("resume_token: "));
        }
    }
}
