//! Smart encoding: plain characters in place of typographic ones, where that makes a text GSM-7.
//!
//! The replacements are those that Twilio and Telnyx document for their own smart encoding, except that one
//! space stands for one space. Doing it here, before the count, makes the price known before the text is sent.

use std::borrow::Cow;

use super::{septets, septets_of};

/// `text` with typographic characters replaced by plain ones, if that turns the whole of it into GSM-7;
/// otherwise `text` as it is, because a text that stays UCS-2 gains nothing from losing its typography.
pub fn smart(text: &str) -> Cow<'_, str> {
    if septets(text).is_some() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if septets_of(c).is_some() {
            plain.push(c);
        } else if let Some(replacement) = replacement(c) {
            plain.push_str(replacement);
        } else if let Some(ascii) = full_width(c) {
            plain.push(ascii);
        } else {
            return Cow::Borrowed(text);
        }
    }
    Cow::Owned(plain)
}

/// Full-width forms stand in the order of ASCII.
fn full_width(c: char) -> Option<char> {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0),
        _ => None,
    }
}

fn replacement(c: char) -> Option<&'static str> {
    quotes(c).or_else(|| spaces(c)).or_else(|| marks(c)).or_else(|| brackets(c)).or_else(|| small_capitals(c))
}

fn quotes(c: char) -> Option<&'static str> {
    Some(match c {
        '«' | '»' | '“' | '”' | '„' | '‟' | 'ʺ' | 'ˮ' | '❝' | '❞' | '〝' | '〞' => "\"",
        '‘' | '’' | '‛' | 'ʻ' | 'ʼ' | 'ʽ' | 'ʹ' | 'ˈ' | '´' | '`' | 'ˊ' | 'ˋ' | '❛' | '❜' => {
            "'"
        }
        '\u{313}' | '\u{314}' | '\u{FE10}' | '\u{FE11}' | '\u{FF40}' => "'",
        _ => return None,
    })
}

fn spaces(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => " ",
        // Line and paragraph separators part words.
        '\u{2028}' | '\u{2029}' => " ",
        '\t' => "       ",
        '\u{200B}' | '\u{200C}' | '\u{2060}' | '\u{FEFF}' => "",
        _ if c.is_control() => "",
        _ => return None,
    })
}

fn marks(c: char) -> Option<&'static str> {
    Some(match c {
        '‐' | '\u{2011}' | '\u{2012}' | '–' | '—' | '―' | '•' | '⁃' | '\u{2212}' => "-",
        '\u{FE63}' | '\u{23BC}' | '\u{23BD}' => "-",
        '…' => "...",
        '‼' => "!!",
        '\u{1C3}' | '\u{FE15}' | '\u{FE57}' => "!",
        '\u{FE16}' | '\u{FE56}' => "?",
        '÷' | '⁄' | '∕' | '⧸' | '\u{337}' | '\u{338}' => "/",
        '¼' => "1/4",
        '½' => "1/2",
        '¾' => "3/4",
        '⧵' | '⧹' | '﹨' | '\u{20E5}' => "\\",
        '‗' | '\u{332}' => "_",
        '∣' | '\u{20D2}' | '\u{20D3}' | '\u{23B8}' | '\u{23B9}' | '\u{23D0}' | '\u{239C}' | '\u{239F}' => {
            "|"
        }
        '‚' | '、' | '､' | '\u{326}' | '\u{FE50}' | '\u{FE51}' => ",",
        '。' | '｡' | '﹒' => ".",
        '꞉' | 'ː' | '\u{2F8}' | '\u{2982}' | '\u{FE13}' => ":",
        '⁏' | '\u{FE14}' | '\u{FE54}' => ";",
        '\u{204E}' | '\u{2217}' | '\u{229B}' | '\u{2722}'..='\u{2725}' | '\u{2731}'..='\u{2733}' => "*",
        '\u{273A}'..='\u{273D}' | '\u{2743}' | '\u{2749}'..='\u{274B}' | '\u{29C6}' | '\u{FE61}' => "*",
        '\u{2D6}' | '\u{FE62}' => "+",
        '\u{A78A}' | '\u{FE66}' => "=",
        '\u{FE5F}' => "#",
        '\u{FE60}' => "&",
        '\u{FE69}' => "$",
        '\u{FE6A}' => "%",
        '\u{FE6B}' => "@",
        'ˆ' => "^",
        '˜' | '\u{2F7}' | '∼' => "~",
        _ => return None,
    })
}

fn brackets(c: char) -> Option<&'static str> {
    Some(match c {
        '‹' | '\u{FE64}' => "<",
        '›' | '\u{FE65}' => ">",
        '\u{2768}' | '\u{276A}' | '\u{27EE}' | '\u{2985}' | '\u{FE59}' => "(",
        '\u{2769}' | '\u{276B}' | '\u{27EF}' | '\u{2986}' | '\u{FE5A}' => ")",
        '\u{2774}' | '\u{FE5B}' => "{",
        '\u{2775}' | '\u{FE5C}' => "}",
        _ => return None,
    })
}

fn small_capitals(c: char) -> Option<&'static str> {
    Some(match c {
        'ᴀ' => "A",
        'ʙ' => "B",
        'ᴄ' => "C",
        'ᴅ' => "D",
        'ᴇ' => "E",
        'ꜰ' => "F",
        'ɢ' => "G",
        'ʜ' => "H",
        'ɪ' => "I",
        'ᴊ' => "J",
        'ᴋ' => "K",
        'ʟ' => "L",
        'ᴍ' => "M",
        'ɴ' => "N",
        'ᴏ' => "O",
        'ᴘ' => "P",
        'ʀ' => "R",
        'ꜱ' => "S",
        'ᴛ' => "T",
        'ᴜ' => "U",
        'ᴠ' => "V",
        'ᴡ' => "W",
        'ʏ' => "Y",
        'ᴢ' => "Z",
        _ => return None,
    })
}
