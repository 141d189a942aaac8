//! Phone numbers: parsed once at the edge, E.164 inside, redacted when printed.

use std::fmt;

/// A North American number in E.164 form, such as `+12025550123`: valid by the numbering plan.
/// `Display` and `Debug` hide the middle; [`PhoneNumber::as_e164`] is for the wire and the database.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(Box<str>);

impl PhoneNumber {
    /// The number in E.164 form, in full.
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// A number that was already parsed once, as it comes back from the database or an order.
    pub fn from_e164_trusted(e164: impl Into<Box<str>>) -> Self {
        Self(e164.into())
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
