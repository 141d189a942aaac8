//! Identifiers: one type for each kind of thing, so that a campaign's id is never passed for a contact's.
//!
//! All are UUIDv7 (RFC 9562): ordered by time, which is what PostgreSQL's indexes and time partitions
//! like best. Making one needs a clock and randomness, so that happens outside this crate.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

id! {
    /// A client organization.
    TenantId,
    /// A contact list.
    ContactListId,
    /// One person of one contact list.
    ContactId,
    /// A tenant's account at an SMS provider.
    ProviderAccountId,
    /// A phone number that texts are sent from.
    PhoneNumberId,
    /// A pool of phone numbers.
    NumberPoolId,
    /// A campaign.
    CampaignId,
    /// One text to one person: the unit of truth.
    MessageId,
    /// Somebody of a client organization.
    MemberId,
    /// A key that programs call the API with.
    ApiKeyId,
}
