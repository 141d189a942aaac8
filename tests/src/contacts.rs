//! Contact files as organizations really send them, made from a seed, and what an import must make of them.
//!
//! What is expected follows from what was generated, never from the code under test. Only that a sound number is
//! in the numbering plan is asked of `muster-domain`: its plan changes, and nobody wants to keep two.

mod chance;
mod csv;
mod people;
mod phones;
mod places;

use std::collections::BTreeMap;

pub(crate) use self::chance::Chance;
use self::csv::{Cell, push_row};
use self::people::{FIRST_NAMES, LAST_NAMES, NOTES};
pub use self::phones::sending_numbers;
use self::phones::{Numbers, Sound, unsound};
use self::places::{PLACES, Place};

const HEADER: &[u8] = b"First Name,Last Name,Cell Phone,City,State,Zip,Time Zone,Notes\r\n";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Rows in a thousand of a messy file that say again what an earlier one said.
const DUPLICATES: usize = 40;
/// Rows in a thousand with a cell too many.
const TOO_WIDE: usize = 3;
/// Rows in a thousand whose phone number is not one.
const UNSOUND: usize = 75;
/// Rows in a thousand whose cells come out of an old Windows program.
const WINDOWS_1252: usize = 150;
/// Rows in a thousand that end before their last cells.
const SHORT: usize = 30;
/// Rows in a thousand with empty lines in front of them.
const AFTER_EMPTY_LINES: usize = 20;

/// A contact file.
#[derive(Clone, Debug)]
pub struct ContactFile {
    /// What is uploaded.
    pub bytes: Vec<u8>,
    /// What an import of it into an empty list must do.
    pub expected: Expected,
}

/// What an import must do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Rows, the header apart.
    pub rows: usize,
    /// The contacts, in the order of the file.
    pub contacts: Vec<ExpectedContact>,
    /// The rejected rows, in the order of the file.
    pub rejected: Vec<ExpectedRejection>,
}

/// A row that becomes a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedContact {
    /// In E.164 form.
    pub phone_number: String,
    /// The first name, decoded.
    pub first_name: String,
}

/// A row that is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedRejection {
    /// The line that it begins on, from 1.
    pub line: i64,
    /// Why.
    pub reason: &'static str,
}

impl Expected {
    /// How many rows are rejected for each reason.
    pub fn rejected_by_reason(&self) -> BTreeMap<String, i64> {
        let mut reasons = BTreeMap::new();
        for rejection in &self.rejected {
            *reasons.entry(rejection.reason.to_owned()).or_default() += 1;
        }
        reasons
    }
}

/// A file with everything that goes wrong between a canvass and an upload.
pub fn messy(seed: u64, rows: usize) -> ContactFile {
    let mut writer = Writer::new(seed);
    for _ in 0..rows {
        writer.empty_lines();
        match writer.chance.below(1_000) {
            0..DUPLICATES => writer.duplicate(),
            kind if kind < DUPLICATES + TOO_WIDE => writer.too_wide(),
            kind if kind < DUPLICATES + TOO_WIDE + UNSOUND => writer.unsound(),
            _ => writer.sound(),
        }
    }
    writer.file
}

/// A file without a fault: every row is a contact.
pub fn tidy(seed: u64, rows: usize) -> ContactFile {
    let mut writer = Writer::new(seed);
    for _ in 0..rows {
        let (number, place) = writer.numbers.next(&mut writer.chance);
        let first_name = FIRST_NAMES[writer.chance.below(5)];
        let zip = format!("{}01", place.zip);
        let phone = number.e164();
        let cells = [first_name, "Smith", &phone, place.city, place.state, &zip, place.time_zone, ""];
        push_row(&mut writer.file.bytes, &cells.map(Cell::Utf8));
        writer.line += 1;
        writer.expect_contact(number, first_name);
    }
    writer.file
}

struct Writer {
    chance: Chance,
    numbers: Numbers,
    /// Numbers that are in the file already.
    written: Vec<Sound>,
    /// The line that the next row begins on.
    line: i64,
    file: ContactFile,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let mut bytes = BYTE_ORDER_MARK.to_vec();
        bytes.extend_from_slice(HEADER);
        Self {
            chance: Chance::new(seed),
            numbers: Numbers::default(),
            written: Vec::new(),
            line: 2,
            file: ContactFile { bytes, expected: Expected::default() },
        }
    }

    fn sound(&mut self) {
        let (number, place) = self.numbers.next(&mut self.chance);
        let phone = number.spelled(&mut self.chance);
        let first_name = self.row(&phone, place, false);
        self.expect_contact(number, first_name);
    }

    /// Somebody's way to set rows apart, here and there: no rows, but lines.
    fn empty_lines(&mut self) {
        if self.chance.happens(AFTER_EMPTY_LINES) {
            for _ in 0..=self.chance.below(2) {
                self.file.bytes.extend_from_slice(b"\r\n");
                self.line += 1;
            }
        }
    }

    /// The same person again, spelled anew. The first row of a file has nobody to repeat.
    fn duplicate(&mut self) {
        if self.written.is_empty() {
            return self.sound();
        }
        let number = self.written[self.chance.below(self.written.len())];
        let phone = number.spelled(&mut self.chance);
        self.reject("DUPLICATE", &phone, false);
    }

    fn unsound(&mut self) {
        let (phone, reason) = unsound(&mut self.chance);
        self.reject(reason, &phone, false);
    }

    /// Somebody's unquoted comma.
    fn too_wide(&mut self) {
        let (number, _) = self.numbers.next(&mut self.chance);
        let phone = number.spelled(&mut self.chance);
        self.reject("TOO_MANY_CELLS", &phone, true);
    }

    fn reject(&mut self, reason: &'static str, phone: &str, too_wide: bool) {
        let place = &PLACES[self.chance.below(PLACES.len())];
        self.file.expected.rejected.push(ExpectedRejection { line: self.line, reason });
        self.file.expected.rows += 1;
        self.row(phone, place, too_wide);
    }

    fn expect_contact(&mut self, number: Sound, first_name: &str) {
        let contact = ExpectedContact { phone_number: number.e164(), first_name: first_name.to_owned() };
        self.written.push(number);
        self.file.expected.contacts.push(contact);
        self.file.expected.rows += 1;
    }

    /// Writes a row and returns the first name in it.
    fn row(&mut self, phone: &str, place: &Place, too_wide: bool) -> &'static str {
        let chance = &mut self.chance;
        let first_name = if chance.happens(20) { "" } else { chance.pick(&FIRST_NAMES) };
        let last_name = chance.pick(&LAST_NAMES);
        let notes = chance.pick(&NOTES);
        let zip = format!("{}{:02}", place.zip, chance.below(99) + 1);
        let old_program = chance.happens(WINDOWS_1252);
        let is_short = chance.happens(SHORT) && !too_wide;
        let cell = |text| if old_program { Cell::Windows1252(text) } else { Cell::Utf8(text) };
        let phone = if phone.starts_with("=\"") { Cell::Raw(phone) } else { cell(phone) };
        let mut cells = vec![cell(first_name), cell(last_name), phone, cell(place.city), cell(place.state)];
        if !is_short {
            cells.extend([cell(&zip), cell(place.time_zone), cell(notes)]);
        }
        if too_wide {
            cells.push(cell("see notes"));
        }
        let begins = self.file.bytes.len();
        push_row(&mut self.file.bytes, &cells);
        let ends = self.file.bytes[begins..].iter().filter(|byte| **byte == b'\n').count();
        self.line += i64::try_from(ends).unwrap_or(0);
        first_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_file_again() {
        let (file, again, other) = (messy(7, 2_000), messy(7, 2_000), messy(8, 2_000));
        assert_eq!(file.bytes, again.bytes);
        assert_ne!(file.bytes, other.bytes);
    }

    #[test]
    fn a_messy_file_has_every_fault() {
        let Expected { rows, contacts, rejected } = messy(1, 10_000).expected;
        assert_eq!(rows, 10_000);
        assert_eq!(contacts.len() + rejected.len(), rows);
        assert!((8_500..9_300).contains(&contacts.len()), "{}", contacts.len());
        let file = messy(1, 10_000);
        let reasons = file.expected.rejected_by_reason();
        let faults = muster_domain::phone::Error::ALL.map(muster_domain::phone::Error::reason);
        let of_phones = faults.into_iter().filter(|reason| *reason != "EMPTY");
        for reason in of_phones.chain(["NO_PHONE_NUMBER", "DUPLICATE", "TOO_MANY_CELLS"]) {
            assert!(reasons.contains_key(reason), "{reason} is not in {reasons:?}");
        }
        assert!(std::str::from_utf8(&file.bytes).is_err(), "there is no cell in Windows-1252");
        assert!(file.bytes.windows(4).any(|bytes| bytes == b"\r\n\r\n"), "there is no empty line");
    }

    #[test]
    fn a_tidy_file_has_none() {
        let file = tidy(1, 1_000);
        assert_eq!((file.expected.contacts.len(), file.expected.rejected.len()), (1_000, 0));
    }

    #[test]
    fn nobody_can_be_reached_by_the_numbers_we_send_from() {
        let numbers = sending_numbers(5_000);
        assert_eq!(numbers.len(), 2_800);
        for number in &numbers {
            assert!(muster_domain::phone::PhoneNumber::parse_sender(number).is_ok(), "{number}");
        }
    }
}
