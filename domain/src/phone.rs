//! Phone numbers: parsed once at the edge, E.164 inside, redacted when printed.
//!
//! Contact lists come out of spreadsheets, so [`PhoneNumber::parse`] undoes what spreadsheets do to numbers
//! where nothing was lost (`="4155552671"`, `4155552671.0`, a leading apostrophe, no-break spaces, full-width
//! digits) and refuses where something may have been (`4.15555E+09`). It never guesses: a digit is never
//! added, and a number with an extension is refused rather than stripped, because a desk behind a switchboard
//! cannot be texted and the bare number belongs to somebody else.
//!
//! What is left must be ten digits of the North American Numbering Plan. Which area codes are in service is
//! libphonenumber's to say; which of their numbers no person answers is said here. Whether a number is a
//! mobile one cannot be told from its digits: that takes a look-up at a provider.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType};

use self::clean::Digits;

mod clean;
#[cfg(test)]
mod tests;

/// A North American number in E.164 form, such as `+12025550123`: valid by the numbering plan. One of our own
/// may also be a short code, such as `72345`.
/// `Display` and `Debug` hide the middle; [`PhoneNumber::as_e164`] is for the wire and the database.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(Box<str>);

impl PhoneNumber {
    /// The number of a person to text, as a contact list spells it.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let national = National::of(&Digits::read(raw)?)?;
        national.check_textable()?;
        Ok(national.into_number())
    }

    /// A number of our own to text from: also toll-free, or a short code of five or six digits. A fictional
    /// number passes, so that a rehearsal cannot reach anyone; the provider has the last word on the rest.
    pub fn parse_sender(raw: &str) -> Result<Self, Error> {
        let digits = Digits::read(raw)?;
        if let Some(code) = short_code(&digits) {
            return Ok(Self(code.into()));
        }
        let national = National::of(&digits)?;
        national.check_sender()?;
        Ok(national.into_number())
    }

    /// The number in E.164 form, in full. A short code is its bare digits.
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// A number that was already parsed once, as it comes back from the database or an order.
    pub fn from_e164_trusted(e164: impl Into<Box<str>>) -> Self {
        Self(e164.into())
    }

    /// The three digits after `+1`. Empty for a short code, which has no area.
    pub fn area_code(&self) -> &str {
        if self.0.starts_with("+1") { self.0.get(2..5).unwrap_or("") } else { "" }
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.0.len().saturating_sub(4);
        let head = tail.min(5);
        write!(f, "{}***{}", self.0.get(..head).unwrap_or(""), self.0.get(tail..).unwrap_or(""))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

/// Why a text is not a phone number that can be texted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// Nothing there but blanks and quotes.
    #[error("there is no number")]
    Empty,
    /// It holds something that no phone number holds.
    #[error("it is not a phone number")]
    NotANumber,
    /// A spreadsheet rounded it (`4.15555E+09`) or put an error in its place (`#N/A`): digits may be lost.
    #[error("a spreadsheet has replaced the number; export the column as text")]
    SpreadsheetNotation,
    /// It has an extension: a desk telephone.
    #[error("it has an extension, so it cannot be texted")]
    HasExtension,
    /// Fewer than ten digits.
    #[error("it has too few digits")]
    TooShort,
    /// More than ten digits after the country code.
    #[error("it has too many digits")]
    TooLong,
    /// It is written as a number of a country outside the North American Numbering Plan.
    #[error("it is not a North American number")]
    NotNorthAmerican,
    /// No such area code is in service, or not with this exchange: new ones open exchange by exchange.
    #[error("its area code is not in service, or not with this exchange")]
    InvalidAreaCode,
    /// The three digits after the area code are never given to a subscriber, or the number is a service.
    #[error("its exchange is not one that people have")]
    InvalidExchange,
    /// A premium, personal, carrier or government area code: 900, 5XX, 700, 710, Canada's 6XX.
    #[error("its area code is for premium, personal or other special services")]
    PremiumOrPersonal,
    /// 555-0100 to 555-0199, which is kept for fiction.
    #[error("it is a number for use in fiction")]
    Fictional,
    /// A toll-free number, which no person carries.
    #[error("it is a toll-free number")]
    TollFree,
}

impl Error {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::NotANumber,
        Self::SpreadsheetNotation,
        Self::HasExtension,
        Self::TooShort,
        Self::TooLong,
        Self::NotNorthAmerican,
        Self::InvalidAreaCode,
        Self::InvalidExchange,
        Self::PremiumOrPersonal,
        Self::Fictional,
        Self::TollFree,
    ];

    /// The reason's name for machines, as rejected rows and the API show it. Never changes.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::NotANumber => "NOT_A_NUMBER",
            Self::SpreadsheetNotation => "SPREADSHEET_NOTATION",
            Self::HasExtension => "HAS_EXTENSION",
            Self::TooShort => "TOO_SHORT",
            Self::TooLong => "TOO_LONG",
            Self::NotNorthAmerican => "NOT_NORTH_AMERICAN",
            Self::InvalidAreaCode => "INVALID_AREA_CODE",
            Self::InvalidExchange => "INVALID_EXCHANGE",
            Self::PremiumOrPersonal => "PREMIUM_OR_PERSONAL",
            Self::Fictional => "FICTIONAL",
            Self::TollFree => "TOLL_FREE",
        }
    }
}

/// Ten digits, read as the numbering plan reads them: area code, exchange, line.
struct National {
    digits: [u8; 10],
    area: u16,
    exchange: u16,
    line: u16,
}

impl National {
    /// Takes off the way out of the country and the country code. No area code starts with 1, so a leading 1
    /// is always the country code.
    fn of(digits: &Digits) -> Result<Self, Error> {
        let all = digits.as_str();
        let international = if digits.plus {
            Some(all)
        } else if all.len() > 10 {
            all.strip_prefix("011").or_else(|| all.strip_prefix("00"))
        } else {
            None
        };
        let national = match international {
            Some(number) => number.strip_prefix('1').ok_or(Error::NotNorthAmerican)?,
            None => all.strip_prefix('1').unwrap_or(all),
        };
        let ten: [u8; 10] = match national.len().cmp(&10) {
            std::cmp::Ordering::Less => return Err(Error::TooShort),
            std::cmp::Ordering::Greater => return Err(Error::TooLong),
            std::cmp::Ordering::Equal => national.as_bytes().try_into().map_err(|_| Error::TooLong)?,
        };
        let number = |range: std::ops::Range<usize>| {
            ten.get(range).unwrap_or(&[]).iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        };
        Ok(Self { digits: ten, area: number(0..3), exchange: number(3..6), line: number(6..10) })
    }

    /// The most telling reason first: of a toll-free number with an odd exchange, that it is toll-free.
    fn check_textable(&self) -> Result<(), Error> {
        if is_toll_free(self.area) {
            return Err(Error::TollFree);
        }
        self.check_area_and_exchange()?;
        if self.is_fictional() {
            return Err(Error::Fictional);
        }
        if self.is_service() {
            return Err(Error::InvalidExchange);
        }
        self.check_assigned()
    }

    fn check_sender(&self) -> Result<(), Error> {
        self.check_area_and_exchange()?;
        if is_toll_free(self.area) { Ok(()) } else { self.check_assigned() }
    }

    fn check_area_and_exchange(&self) -> Result<(), Error> {
        if is_special(self.area) {
            return Err(Error::PremiumOrPersonal);
        }
        if self.area < 200 || is_n11(self.area) {
            return Err(Error::InvalidAreaCode);
        }
        if self.exchange < 200 || is_n11(self.exchange) {
            return Err(Error::InvalidExchange);
        }
        Ok(())
    }

    /// Asks libphonenumber, whose metadata follow the assignments of area codes.
    fn check_assigned(&self) -> Result<(), Error> {
        let national_number = self.digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let number = rlibphonenumber::PhoneNumber { country_code: 1, national_number, ..Default::default() };
        match PHONE_NUMBER_UTIL.get_number_type(&number) {
            PhoneNumberType::FixedLine
            | PhoneNumberType::Mobile
            | PhoneNumberType::FixedLineOrMobile
            | PhoneNumberType::VoIP => Ok(()),
            PhoneNumberType::TollFree => Err(Error::TollFree),
            PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::PersonalNumber
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail => Err(Error::PremiumOrPersonal),
            PhoneNumberType::Unknown => Err(Error::InvalidAreaCode),
        }
    }

    /// 555-0100 to 555-0199: set aside for films and books.
    fn is_fictional(&self) -> bool {
        self.exchange == 555 && (100..200).contains(&self.line)
    }

    /// Plant tests (958, 959), carrier access (950), long-distance services (700), pay-per-call (976) and
    /// directory assistance (555-1212).
    fn is_service(&self) -> bool {
        matches!(self.exchange, 700 | 950 | 958 | 959 | 976) || (self.exchange == 555 && self.line == 1212)
    }

    fn into_number(self) -> PhoneNumber {
        let mut e164 = String::with_capacity(12);
        e164.push_str("+1");
        e164.extend(self.digits.iter().map(|digit| char::from(*digit)));
        PhoneNumber(e164.into_boxed_str())
    }
}

/// 211, 311 .. 911: services, neither area codes nor exchanges.
const fn is_n11(code: u16) -> bool {
    code % 100 == 11
}

const fn is_toll_free(area: u16) -> bool {
    matches!(area, 800 | 833 | 844 | 855 | 866 | 877 | 888)
}

/// Area codes that belong to services: 900 premium, 5XX personal and machines, 700 carriers, 710 the US
/// government, 456 inbound international, 6XX Canada's non-geographic ones.
const fn is_special(area: u16) -> bool {
    matches!(area, 900 | 700 | 710 | 456)
        || matches!(area, 600 | 622 | 633 | 644 | 655 | 677 | 688)
        || matches!(area, 500 | 521..=529 | 532 | 533 | 544 | 566 | 577 | 588)
}

/// Common Short Codes are five or six digits and do not start with 0 or 1 (CTIA Short Code Registry).
fn short_code(digits: &Digits) -> Option<&str> {
    let code = digits.as_str();
    let starts_well = code.starts_with(|first| ('2'..='9').contains(&first));
    (!digits.plus && starts_well && matches!(code.len(), 5 | 6)).then_some(code)
}
