//! Providers by name, and what an account at each consists of.

use std::fmt;
use std::str::FromStr;

/// An SMS provider that Muster can send through. Its rules live in one file of the `providers` crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Twilio Programmable Messaging.
    Twilio,
    /// Telnyx Messaging.
    Telnyx,
    /// Bandwidth Messaging.
    Bandwidth,
    /// Plivo Messaging.
    Plivo,
    /// Vonage Messages.
    Vonage,
    /// Sinch SMS.
    Sinch,
}

/// What an account at a provider has to say beside the secret that authenticates our calls. Of each field: what the
/// provider calls it, or `None` where it has no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFields {
    /// The provider's name of the account.
    pub account_sid: Option<&'static str>,
    /// Who calls, where that is not the account itself.
    pub api_user: Option<&'static str>,
    /// The application at the provider that our numbers belong to.
    pub application_id: Option<&'static str>,
    /// What webhooks are verified with; `None` where that is the secret of our calls.
    pub webhook_key: Option<&'static str>,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 6] =
        [Self::Twilio, Self::Telnyx, Self::Bandwidth, Self::Plivo, Self::Vonage, Self::Sinch];

    /// The number that stands for it in the database and in the API.
    pub const fn code(self) -> i16 {
        match self {
            Self::Twilio => 1,
            Self::Telnyx => 2,
            Self::Bandwidth => 3,
            Self::Plivo => 4,
            Self::Vonage => 5,
            Self::Sinch => 6,
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
            Self::Bandwidth => "bandwidth",
            Self::Plivo => "plivo",
            Self::Vonage => "vonage",
            Self::Sinch => "sinch",
        }
    }

    /// What stands behind a webhook's URL, as a fragment, so that the provider tries again where it is answered with a 5xx
    /// or not at all. Of all providers Twilio alone has to be told: 5 times then, within 15 seconds. It keeps the
    /// fragment to itself, and does not sign it.
    pub const fn webhook_fragment(self) -> &'static str {
        match self {
            Self::Twilio => "#rc=5&rp=5xx,ct,rt",
            Self::Telnyx | Self::Bandwidth | Self::Plivo | Self::Vonage | Self::Sinch => "",
        }
    }

    /// What an account consists of.
    pub const fn account_fields(self) -> AccountFields {
        let none =
            AccountFields { account_sid: None, api_user: None, application_id: None, webhook_key: None };
        match self {
            Self::Twilio => AccountFields { account_sid: Some("the account SID"), ..none },
            Self::Telnyx => AccountFields { webhook_key: Some("the public key, in base64"), ..none },
            Self::Bandwidth => AccountFields {
                account_sid: Some("the account ID"),
                api_user: Some("the user name of the API's credentials"),
                application_id: Some("the messaging application's ID"),
                webhook_key: Some(
                    "the user name and password of the application's callbacks, as user:password",
                ),
            },
            Self::Plivo => AccountFields { account_sid: Some("the Auth ID"), ..none },
            Self::Vonage => AccountFields {
                account_sid: Some("the API key"),
                webhook_key: Some("the signature secret"),
                ..none
            },
            Self::Sinch => AccountFields {
                account_sid: Some("the service plan ID"),
                webhook_key: Some("the webhooks' secret"),
                ..none
            },
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
