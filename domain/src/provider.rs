//! Providers by name.

use std::fmt;
use std::str::FromStr;

/// An SMS provider that Muster can send through. Its rules live in one file of the `providers` crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Twilio Programmable Messaging.
    Twilio,
    /// Telnyx Messaging.
    Telnyx,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 2] = [Self::Twilio, Self::Telnyx];

    /// The number that stands for it in the database.
    pub const fn code(self) -> i16 {
        match self {
            Self::Twilio => 1,
            Self::Telnyx => 2,
        }
    }

    /// The provider that `code` stands for.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.code() == code)
    }

    /// Its name in URLs and settings, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Telnyx => "telnyx",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No provider has this name.
#[derive(Debug, thiserror::Error)]
#[error("no provider is called that")]
pub struct UnknownProvider;

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        Self::ALL.into_iter().find(|provider| provider.name() == name).ok_or(UnknownProvider)
    }
}
