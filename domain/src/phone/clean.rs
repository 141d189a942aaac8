//! From what a cell of a spreadsheet holds to its digits.

use super::Error;

/// Digits kept at most: an international prefix of three and the fifteen of E.164.
const DIGITS_MAX: usize = 18;

/// The digits of a number in the order they were written, and whether a plus sign stood before them.
pub(super) struct Digits {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// The digits start with a country code.
    pub(super) plus: bool,
}

impl Digits {
    /// Reads the digits of `raw`, past all that may stand around and between the digits of a number.
    pub(super) fn read(raw: &str) -> Result<Self, Error> {
        let text = unwrap(raw);
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if is_scientific(text) || is_spreadsheet_error(text) {
            return Err(Error::SpreadsheetNotation);
        }
        let text = without_zero_decimals(text);
        let mut read = Self { digits: [0; DIGITS_MAX], len: 0, plus: false };
        for (at, c) in text.char_indices() {
            if let Some(digit) = digit(c) {
                read.push(digit)?;
            } else if matches!(c, '+' | '\u{FF0B}') && read.len == 0 && !read.plus {
                read.plus = true;
            } else if !is_invisible(c) && !is_punctuation(c) {
                return Err(read.refusal(text.get(at..).unwrap_or("")));
            }
        }
        if read.len == 0 { Err(Error::NotANumber) } else { Ok(read) }
    }

    /// The digits as text.
    pub(super) fn as_str(&self) -> &str {
        self.digits.get(..self.len).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or("")
    }

    fn push(&mut self, digit: u8) -> Result<(), Error> {
        // Of two numbers in one cell, the first is not better than the second: neither is taken.
        *self.digits.get_mut(self.len).ok_or(Error::TooLong)? = digit;
        self.len += 1;
        Ok(())
    }

    /// What to say of `rest`, which is not part of a number: an extension if digits follow its mark.
    fn refusal(&self, rest: &str) -> Error {
        let rest = rest.trim_start_matches(';');
        let mark = rest.split(|c: char| digit(c).is_some()).next().unwrap_or("");
        let word = mark.trim_matches(|c: char| !c.is_alphabetic());
        let is_mark = match word {
            "" => mark.starts_with('#'),
            word => ["x", "ext", "extn", "extension"].iter().any(|known| word.eq_ignore_ascii_case(known)),
        };
        let digits_follow = rest.len() > mark.len();
        if self.len >= 7 && is_mark && digits_follow { Error::HasExtension } else { Error::NotANumber }
    }
}

/// Takes off blanks, a formula's equals sign, quotes (`="4155552671"`, `'4155552671`) and `tel:`.
fn unwrap(raw: &str) -> &str {
    let text = raw.trim_matches(is_invisible);
    let text = text.strip_prefix('=').unwrap_or(text);
    let text = text.trim_matches(|c| is_invisible(c) || is_quote(c));
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text.get(4..).unwrap_or("").trim_start(),
        Some(_) | None => text,
    }
}

/// `4.15555E+09`, also with a decimal comma. The digits after the ones shown are gone.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    !mantissa.is_empty()
        && !exponent.is_empty()
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// `#N/A`, `#REF!`, or the `#####` of a column too narrow.
fn is_spreadsheet_error(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|rest| !rest.bytes().any(|byte| byte.is_ascii_digit()))
}

/// `4155552671.0` is a number that was read as a decimal. `415.555.0000` is not: what stands before its last
/// point is no whole number.
fn without_zero_decimals(text: &str) -> &str {
    let Some((whole, decimals)) = text.rsplit_once('.') else { return text };
    let is_zero = !decimals.is_empty() && decimals.bytes().all(|byte| byte == b'0');
    let digits = whole.bytes().filter(u8::is_ascii_digit).count();
    let is_whole = whole.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b','));
    if is_zero && is_whole && digits >= 10 { whole } else { text }
}

/// The ASCII digit that `c` is, or stands for: full-width and Arabic digits too.
fn digit(c: char) -> Option<u8> {
    let zero = match c {
        '0'..='9' => '0',
        '\u{FF10}'..='\u{FF19}' => '\u{FF10}',
        '\u{0660}'..='\u{0669}' => '\u{0660}',
        '\u{06F0}'..='\u{06F9}' => '\u{06F0}',
        _ => return None,
    };
    let value = u32::from(c) - u32::from(zero);
    u8::try_from(value).ok().map(|value| b'0' + value)
}

/// Blanks, and the invisible marks that copying from web pages and address books leaves behind.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201F}' | '\u{FF02}' | '\u{FF07}')
}

/// What people put between the digits of a number.
fn is_punctuation(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')' | '/' | '[' | ']' | '_' | '~' | ',' | ':')
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}')
        || matches!(c, '\u{FF08}' | '\u{FF09}' | '\u{FF0E}' | '\u{FF0F}' | '\u{00B7}' | '\u{2022}')
}
