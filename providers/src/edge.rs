//! What of a provider's own words may come in. A signature proves who wrote a webhook, not that it is sound, and
//! all that is believed goes to the database and from there to every reader: so each text has a bound, and none
//! has a NUL, which Postgres does not store.

use crate::Unreadable;

/// The longest id of a message. Providers' own have 34 and 36 characters.
const ID_BYTES_MAX: usize = 128;
/// Codes are short words and numbers; what is longer is not one.
const CODE_BYTES_MAX: usize = 32;
/// The longest state in the provider's own word. The longest documented one has 20 characters.
const STATE_CHARS_MAX: usize = 100;
/// The longest body: six times what providers put together from the parts of a text (1,600 characters), so that
/// nothing is lost that a phone could send, while a page of replies stays well within one answer of the API.
const BODY_CHARS_MAX: usize = 10_000;
/// Media of a reply at most. Providers attach ten.
const MEDIA_MAX: usize = 10;
/// The longest URL of a medium: what browsers and proxies take.
const URL_BYTES_MAX: usize = 2_000;

/// The provider's own id of a message, if it can be one: something to store and to find again.
pub(crate) fn message_id(told: &str) -> Option<String> {
    is_word(told, ID_BYTES_MAX).then(|| told.to_owned())
}

/// The provider's own id of the message that a webhook is about.
pub(crate) fn webhook_message_id(told: &str) -> Result<String, Unreadable> {
    message_id(told).ok_or(Unreadable("the message's id is not 1 to 128 visible ASCII characters"))
}

/// Whether `told` can be a provider's code at all: something to store and to group by.
pub(crate) fn is_code(told: &str) -> bool {
    is_word(told, CODE_BYTES_MAX)
}

/// A state as it is kept. What cannot be shown is replaced rather than left out, so that no other state comes of it.
pub(crate) fn state(told: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    told.chars().take(STATE_CHARS_MAX).map(shown).collect()
}

/// The body of a reply as it is kept.
pub(crate) fn body(told: &str) -> String {
    told.chars().filter(|c| *c != '\0').take(BODY_CHARS_MAX).collect()
}

/// Where the media of a reply are, as far as that is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// The URLs that are kept.
    pub(crate) urls: Vec<String>,
    /// How many were dropped: they can be no URLs, or are too many.
    pub(crate) dropped: usize,
}

impl Media {
    /// Of the URLs that a webhook names.
    pub(crate) fn of<'a>(told: impl Iterator<Item = &'a str>) -> Self {
        let mut media = Self { urls: Vec::new(), dropped: 0 };
        for url in told {
            if media.urls.len() < MEDIA_MAX && is_word(url, URL_BYTES_MAX) {
                media.urls.push(url.to_owned());
            } else {
                media.dropped += 1;
            }
        }
        media
    }
}

/// Visible ASCII, and some of it.
fn is_word(told: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&told.len()) && told.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_word_of_bounded_length() {
        let longest = "a".repeat(ID_BYTES_MAX);
        for id in ["SM1", "40017f1a-2f6a-4d3c-a2b6-3d1c2f7e5b10", "!~", &longest] {
            assert_eq!(message_id(id).as_deref(), Some(id));
        }
        for other in ["", " ", "a b", "a\0", "é", "a\n", "\u{7f}", &format!("{longest}a")] {
            assert_eq!(message_id(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_state_is_short_and_can_be_shown() {
        assert_eq!(state("delivered"), "delivered");
        assert_eq!(state("deliver\0ed\n"), "deliver\u{fffd}ed\u{fffd}");
        assert_eq!(state(&"é".repeat(101)), "é".repeat(100));
    }

    #[test]
    fn a_body_loses_nothing_but_nul_and_what_is_beyond_the_bound() {
        assert_eq!(body("\0Café ☕\n\0\u{7}"), "Café ☕\n\u{7}");
        let longest = "☕".repeat(BODY_CHARS_MAX);
        assert_eq!(body(&longest), longest);
        assert_eq!(body(&format!("{}{longest}x", "\0".repeat(9))), longest);
    }

    #[test]
    fn media_are_few_and_what_is_dropped_is_counted() {
        let long = format!("https://m.example/{}", "a".repeat(URL_BYTES_MAX));
        let of = |told: &[&str]| {
            let Media { urls, dropped } = Media::of(told.iter().copied());
            (urls, dropped)
        };
        assert_eq!(of(&["https://m.example/1", &long[..URL_BYTES_MAX]]).1, 0);
        assert_eq!(
            of(&["", "https://m.example/1", "a b", "é", "a\0", &long]),
            (vec!["https://m.example/1".to_owned()], 5)
        );
        let (urls, dropped) = of(&["https://m.example/1"; 12]);
        assert_eq!((urls.len(), dropped), (MEDIA_MAX, 2));
    }
}
