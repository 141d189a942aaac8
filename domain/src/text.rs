//! What a text costs: its encoding and how many segments the carriers bill.
//!
//! A text of characters of the GSM 7-bit alphabet alone is sent in it, seven bits each; one other character
//! and the whole text is sent as UCS-2, sixteen bits each, which more than halves what a segment holds.
//! A text longer than one segment gives up six octets of each to the header that joins them. The alphabet
//! and the sizes are those of 3GPP TS 23.038 (sections 6.1.2 and 6.2) and TS 23.040 (section 9.2.3.24).

use unicode_segmentation::UnicodeSegmentation;

pub use self::smart::smart;

mod smart;
#[cfg(test)]
mod tests;

/// Septets that fit in a text of one segment: 140 octets of 8 bits hold 160 of 7 (3GPP TS 23.038).
pub const GSM7_SINGLE_MAX: u32 = 160;
/// Septets that fit in each segment of a longer text, beside its header (3GPP TS 23.040).
pub const GSM7_PART_MAX: u32 = 153;
/// UTF-16 code units that fit in a text of one segment: 140 octets hold 70 (3GPP TS 23.038).
pub const UCS2_SINGLE_MAX: u32 = 70;
/// UTF-16 code units that fit in each segment of a longer text, beside its header (3GPP TS 23.040).
pub const UCS2_PART_MAX: u32 = 67;
/// Characters of a body at most: what Twilio accepts. A provider may take less of some bodies (Telnyx ten
/// segments, Plivo 737 characters of UCS-2), which is for its own file to say.
pub const BODY_CHARS_MAX: usize = 1600;

/// How the characters of a text are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet and its extension table.
    Gsm7,
    /// UCS-2; in practice UTF-16, surrogate pairs included.
    Ucs2,
}

/// What a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segments {
    /// The encoding of the whole text.
    pub encoding: Encoding,
    /// Septets of GSM-7, or code units of UCS-2.
    pub units: u32,
    /// Segments that are billed, at least 1. Stops at 65,535, far beyond what any provider takes.
    pub segments: u16,
}

/// Counts what `text` costs as it stands. An empty text, which no one sends, counts as one segment.
pub fn count(text: &str) -> Segments {
    match septets(text) {
        Some(units) => Segments { encoding: Encoding::Gsm7, units, segments: gsm7_segments(text, units) },
        None => {
            let units = code_units(text);
            Segments { encoding: Encoding::Ucs2, units, segments: ucs2_segments(text, units) }
        }
    }
}

/// Septets of the whole text, if GSM-7 has all its characters.
fn septets(text: &str) -> Option<u32> {
    text.chars().try_fold(0u32, |sum, c| Some(sum.saturating_add(septets_of(c)?)))
}

/// What `c` costs in GSM-7: two where an escape leads to the extension table, nothing where it has no place.
fn septets_of(c: char) -> Option<u32> {
    match c {
        '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '\u{C}' | '€' => Some(2),
        '`' => None,
        ' '..='~' | '\n' | '\r' => Some(1),
        '¡' | '£' | '¤' | '¥' | '§' | '¿' | 'Ä' | 'Å' | 'Æ' | 'Ç' | 'É' | 'Ñ' | 'Ö' | 'Ø' | 'Ü' | 'ß' => {
            Some(1)
        }
        'à' | 'ä' | 'å' | 'æ' | 'è' | 'é' | 'ì' | 'ñ' | 'ò' | 'ö' | 'ø' | 'ù' | 'ü' => Some(1),
        'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => Some(1),
        _ => None,
    }
}

/// An escape and its character never stand in two segments, so a segment may stay one septet short.
fn gsm7_segments(text: &str, units: u32) -> u16 {
    if units <= GSM7_SINGLE_MAX {
        return 1;
    }
    let mut parts = Parts::new(GSM7_PART_MAX);
    text.chars().for_each(|c| parts.place(septets_of(c).unwrap_or(1)));
    parts.count
}

/// What people see as one character never stands in two segments: not a surrogate pair, nor a flag or a
/// family of several code points, unless it alone is longer than a segment.
fn ucs2_segments(text: &str, units: u32) -> u16 {
    if units <= UCS2_SINGLE_MAX {
        return 1;
    }
    let mut parts = Parts::new(UCS2_PART_MAX);
    for cluster in text.graphemes(true) {
        let units = code_units(cluster);
        if units <= UCS2_PART_MAX {
            parts.place(units);
        } else {
            cluster.chars().for_each(|c| parts.place(code_units_of(c)));
        }
    }
    parts.count
}

fn code_units(text: &str) -> u32 {
    text.chars().fold(0, |sum: u32, c| sum.saturating_add(code_units_of(c)))
}

const fn code_units_of(c: char) -> u32 {
    if c.len_utf16() == 1 { 1 } else { 2 }
}

/// Segments being filled, one after another, with pieces that must not be cut.
struct Parts {
    size: u32,
    used: u32,
    count: u16,
}

impl Parts {
    const fn new(size: u32) -> Self {
        Self { size, used: 0, count: 1 }
    }

    fn place(&mut self, units: u32) {
        if self.used + units > self.size {
            self.count = self.count.saturating_add(1);
            self.used = 0;
        }
        self.used += units;
    }
}
