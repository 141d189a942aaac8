//! Where a watcher is in a tenant's frames, as an opaque token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_runtime::{Error, Result};

/// A place in one stream. Sequences begin again where a stream is made anew, so the time that the stream was
/// made belongs to it: a token of another stream must not pass for a place in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// When the stream was made, in nanoseconds since the Unix epoch.
    pub(super) stream: u64,
    /// All of the tenant's frames up to this sequence are behind.
    pub(super) sequence: u64,
    /// Of the tenant's next frame, so many events are, whether the watcher saw them or its filter did not let them through.
    pub(super) offset: u32,
}

impl Position {
    /// The token that says it.
    pub(super) fn token(self) -> String {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.stream.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[16..].copy_from_slice(&self.offset.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, naming `resume_token`, where it is not one of ours.
    pub(super) fn from_token(token: &str) -> Result<Self> {
        Self::read(token).ok_or_else(|| {
            Error::invalid("resume_token", "must be the `resume_token` of a response that was received")
        })
    }

    fn read(token: &str) -> Option<Self> {
        let bytes: [u8; 20] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (stream, rest) = bytes.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        Some(Self {
            stream: u64::from_be_bytes(*stream),
            sequence: u64::from_be_bytes(*sequence),
            offset: u32::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_it_is_from() {
        let position = Position { stream: u64::MAX - 7, sequence: 42, offset: 5_001 };
        assert_eq!(Position::from_token(&position.token()).expect("ours"), position);
    }

    #[test]
    fn another_token_is_refused_by_name() {
        for token in ["x", "42", "AAAAAAAAAAAAAAAAAAAAA", &URL_SAFE_NO_PAD.encode([0; 21])] {
            let error = Position::from_token(token).expect_err(token);
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
            assert!(error.to_string().starts_with("resume_token: "));
        }
    }
}
