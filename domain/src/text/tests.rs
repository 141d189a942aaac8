//! Texts and what they cost, by the standards' own numbers.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{
    Encoding::{self, Gsm7, Ucs2},
    GSM7_PART_MAX, Segments, UCS2_PART_MAX, count, smart,
};

/// Texts whose cost was worked out with the calculator that Twilio publishes (sms-segments-calculator 1.3.0).
#[test]
fn known_texts_cost_what_they_cost() {
    let a = |n: usize| "a".repeat(n);
    let vectors: Vec<(u8, String, Encoding, u32, u16)> = vec![
        (1, a(160), Gsm7, 160, 1),
        (2, a(161), Gsm7, 161, 2),
        (3, a(306), Gsm7, 306, 2),
        (3, a(307), Gsm7, 307, 3),
        (4, "€".repeat(80), Gsm7, 160, 1),
        (4, "€".repeat(81), Gsm7, 162, 2),
        (5, a(159) + "{", Gsm7, 161, 2),
        (6, a(152) + "{" + &a(152), Gsm7, 306, 3),
        (7, a(159) + "\r\n", Gsm7, 161, 2),
        (8, "ÇA VA".into(), Gsm7, 5, 1),
        (8, "ça va".into(), Ucs2, 5, 1),
        (9, "ж".repeat(70), Ucs2, 70, 1),
        (9, "ж".repeat(71), Ucs2, 71, 2),
        (10, "ж".repeat(134), Ucs2, 134, 2),
        (10, "ж".repeat(135), Ucs2, 135, 3),
        (11, "😀".repeat(35), Ucs2, 70, 1),
        (11, "😀".repeat(36), Ucs2, 72, 2),
        (12, "😀".repeat(67), Ucs2, 134, 3),
        (13, a(66) + "😀" + &a(66), Ucs2, 134, 3),
        (14, a(69) + "\u{2019}", Ucs2, 70, 1),
        (14, a(70) + "\u{2019}", Ucs2, 71, 2),
        (15, a(10) + "`", Ucs2, 11, 1),
        (16, "a\u{C}b".into(), Gsm7, 4, 1),
        (17, "🇺🇸".repeat(33), Ucs2, 132, 3),
        (18, a(1530), Gsm7, 1530, 10),
        (18, a(1531), Gsm7, 1531, 11),
        (19, String::new(), Gsm7, 0, 1),
    ];
    for (vector, text, encoding, units, segments) in vectors {
        assert_eq!(count(&text), Segments { encoding, units, segments }, "vector {vector}: {text:?}");
    }
}

/// The default alphabet has 127 characters beside the escape, the extension table ten.
#[test]
fn the_alphabet_is_complete() {
    let cost = |c: &char| super::septets_of(*c);
    let all: Vec<char> = (0..=0xFFFF).filter_map(char::from_u32).collect();
    assert_eq!(all.iter().filter(|c| cost(c) == Some(1)).count(), 127);
    assert_eq!(all.iter().filter(|c| cost(c) == Some(2)).count(), 10);
}

#[test]
fn a_cluster_longer_than_a_segment_is_cut_between_characters() {
    let text = format!("e{}", "\u{301}".repeat(133));
    assert_eq!(count(&text), Segments { encoding: Ucs2, units: 134, segments: 2 });
}

#[test]
fn a_very_long_text_is_counted_and_not_overflowed() {
    let counted = count(&"a".repeat(11_000_000));
    assert_eq!(counted, Segments { encoding: Gsm7, units: 11_000_000, segments: u16::MAX });
}

#[test]
fn typography_becomes_plain() {
    let cases = [
        ("“Hi” – it’s me…", "\"Hi\" - it's me..."),
        ("½ off‼\u{a0}Now", "1/2 off!! Now"),
        ("ＶＯＴＥ！ ᴠᴏᴛᴇ", "VOTE! VOTE"),
        ("a\u{200b}b\u{feff}c\u{7}", "abc"),
        ("‹x› ⁏ ‗ ⧵", "<x> ; _ \\"),
        ("a\tb`", "a       b'"),
        ("¿Mañana’s été?", "¿Mañana's été?"),
    ];
    for (typed, plain) in cases {
        assert_eq!(smart(typed), plain);
        assert_eq!(count(&smart(typed)).encoding, Gsm7);
    }
}

#[test]
fn a_text_that_stays_ucs2_keeps_its_typography() {
    for text in ["“Hi” 😀", "it’s Zoë’s ж", "Sí – claro"] {
        assert!(matches!(smart(text), Cow::Borrowed(same) if same == text), "{text}");
    }
}

proptest! {
    #[test]
    fn counts_stay_within_what_packing_allows(text in "(\\PC|[a-z{€]|😀|🇺🇸){0,400}") {
        let counted = count(&text);
        let part = match counted.encoding {
            Gsm7 => GSM7_PART_MAX,
            Ucs2 => UCS2_PART_MAX,
        };
        let segments = u32::from(counted.segments);
        // Never fewer than the units need; and no segment but the last is less than half full.
        prop_assert!(segments == 1 || segments >= counted.units.div_ceil(part));
        prop_assert!(segments <= 1 + counted.units.div_ceil(part / 2));
    }

    #[test]
    fn smart_is_idempotent_and_never_dearer(text in "(\\PC|[a-z ]|[“”’…–]){0,60}") {
        let once = smart(&text).into_owned();
        prop_assert_eq!(smart(&once), once.as_str());
        prop_assert!(once == text || count(&once).encoding == Gsm7);
    }
}
