//! Times as providers write them.

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// `2023-11-14T22:13:20Z`, for this second since the Unix epoch.
pub(crate) fn rfc3339(unix_s: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// The second since the Unix epoch of `2023-11-14T22:13:20.123Z`, or with another offset or a space for the `T`.
pub(crate) fn from_rfc3339(told: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(&told.replacen(' ', "T", 1), &Rfc3339).ok()?.unix_timestamp())
}

/// The second since the Unix epoch of `Tue, 14 Nov 2023 22:13:20 +0000`.
pub(crate) fn from_rfc2822(told: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(told, &Rfc2822).ok()?.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
        for told in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.999Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14 22:13:20+00:00",
        ] {
            assert_eq!(from_rfc3339(told), Some(1_700_000_000), "{told}");
        }
        assert_eq!(from_rfc2822("Tue, 14 Nov 2023 22:13:20 +0000"), Some(1_700_000_000));
        for told in ["", "yesterday", "2023-11-14"] {
            assert_eq!((from_rfc3339(told), from_rfc2822(told)), (None, None), "{told}");
        }
    }
}
