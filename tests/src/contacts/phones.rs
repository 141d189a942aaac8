//! Phone numbers as spreadsheets hold them: sound ones in all their spellings, and cells that no text can be
//! sent to, each with the reason that the import must give.

use std::collections::{HashMap, HashSet};

use muster_domain::phone::PhoneNumber;

use super::chance::Chance;
use super::places::{PLACES, Place};

/// A sound number: area code, exchange, line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sound {
    pub(crate) area: u16,
    pub(crate) exchange: u16,
    pub(crate) line: u16,
}

impl Sound {
    /// In E.164 form.
    pub(crate) fn e164(self) -> String {
        format!("+1{}{:03}{:04}", self.area, self.exchange, self.line)
    }

    /// As somebody typed, pasted or exported it.
    pub(crate) fn spelled(self, chance: &mut Chance) -> String {
        let Self { area, exchange, line } = self;
        match chance.below(16) {
            0..=3 => format!("({area}) {exchange}-{line:04}"),
            4 | 5 => format!("{area}-{exchange}-{line:04}"),
            6 => format!("{area}.{exchange}.{line:04}"),
            7 | 8 => format!("{area}{exchange}{line:04}"),
            9 => format!("+1 {area} {exchange} {line:04}"),
            10 => format!("1-{area}-{exchange}-{line:04}"),
            11 => format!("=\"{area}{exchange}{line:04}\""),
            12 => format!("{area}{exchange}{line:04}.0"),
            13 => format!("'{area}{exchange}{line:04}"),
            14 => format!("  {area}\u{a0}{exchange}\u{a0}{line:04} "),
            _ => format!("tel:+1-{area}-{exchange}-{line:04}"),
        }
    }
}

/// Makes sound numbers, none of them twice.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    used: HashSet<Sound>,
    /// Whether the numbering plan has this exchange; asked once, because asking is slow.
    known: HashMap<(u16, u16), bool>,
}

impl Numbers {
    pub(crate) fn next(&mut self, chance: &mut Chance) -> (Sound, &'static Place) {
        loop {
            let place = &PLACES[chance.below(PLACES.len())];
            let number = Sound {
                area: place.area,
                exchange: chance.within(200, 1_000),
                line: chance.within(0, 10_000),
            };
            if number.exchange != 555 && self.is_in_plan(number) && self.used.insert(number) {
                return (number, place);
            }
        }
    }

    fn is_in_plan(&mut self, number: Sound) -> bool {
        let key = (number.area, number.exchange);
        *self.known.entry(key).or_insert_with(|| PhoneNumber::parse(&number.e164()).is_ok())
    }
}

/// What an import says of a cell without a number.
pub(crate) const NO_PHONE_NUMBER: &str = "NO_PHONE_NUMBER";

/// A cell that no text can be sent to, and the reason why.
pub(crate) fn unsound(chance: &mut Chance) -> (String, &'static str) {
    let place = &PLACES[chance.below(PLACES.len())];
    let (area, exchange, line) = (place.area, chance.within(230, 300), chance.within(2_000, 10_000));
    match chance.below(22) {
        0..=4 => (chance.pick(&["", "", " ", "\u{a0}"]).to_owned(), NO_PHONE_NUMBER),
        5 | 6 => (
            chance.pick(&["n/a", "none", "unknown", "ask Maria", "no phone", "-"]).to_owned(),
            "NOT_A_NUMBER",
        ),
        // Excel shows a number of ten digits so, and then saves it so.
        7 | 8 => (format!("{}.{:05}E+09", area / 100, chance.below(100_000)), "SPREADSHEET_NOTATION"),
        9 => (chance.pick(&["#N/A", "#REF!", "########"]).to_owned(), "SPREADSHEET_NOTATION"),
        10 => (format!("({area}) {exchange}-{line} x{}", chance.below(900) + 100), "HAS_EXTENSION"),
        11 => (format!("{area}-{exchange}-{line} ext. {}", chance.below(90) + 10), "HAS_EXTENSION"),
        12 => (format!("{exchange}-{line}"), "TOO_SHORT"),
        13 => (format!("{area}{exchange}{line}{:02}", chance.below(100)), "TOO_LONG"),
        14 => (format!("+44 20 7946 {line}"), "NOT_NORTH_AMERICAN"),
        15 => (
            chance.pick(&["000-000-0000", "(999) 999-9999", "(411) 234-5678"]).to_owned(),
            "INVALID_AREA_CODE",
        ),
        16 => (format!("({area}) 1{:02}-{line}", chance.below(100)), "INVALID_EXCHANGE"),
        // Directory assistance: a landline if there ever was one.
        17 => (format!("({area}) 555-1212"), "INVALID_EXCHANGE"),
        18 => (format!("{area}-411-{line}"), "INVALID_EXCHANGE"),
        19 => (format!("900-{exchange}-{line}"), "PREMIUM_OR_PERSONAL"),
        20 => (format!("({area}) 555-01{:02}", chance.below(100)), "FICTIONAL"),
        _ => (format!("1-{}-{exchange}-{line}", chance.pick(&["800", "888", "877", "866"])), "TOLL_FREE"),
    }
}

/// Numbers to send from, in E.164 form: kept for fiction, so that nothing that goes wrong reaches anybody. They
/// are spread over all area codes that contacts have; at most 2,800.
pub fn sending_numbers(count: usize) -> Vec<String> {
    let lines = 100_usize..200;
    let all = lines.flat_map(|line| PLACES.iter().map(move |place| format!("+1{}555{line:04}", place.area)));
    all.take(count).collect()
}
