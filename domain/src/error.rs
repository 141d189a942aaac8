//! Why a text failed, in one vocabulary for all providers.

/// What a provider's error code means to us. Every documented code of every provider has a class; a code
/// that no provider documents is [`ErrorClass::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// The recipient's number is not valid or cannot be reached, ever.
    InvalidRecipient,
    /// The recipient's number is a landline.
    Landline,
    /// The recipient has opted out at the provider or carrier.
    OptedOut,
    /// The recipient or their carrier blocks this sender.
    Blocked,
    /// The text or its media was refused: spam filter, too long, wrong media.
    Content,
    /// The provider refused our credentials.
    Credentials,
    /// The sending number is not ours, not able to text, or out of order.
    SenderNumber,
    /// 10DLC, toll-free or short code registration is missing or suspended.
    Registration,
    /// The provider account is suspended, out of funds, or not allowed to text there.
    Account,
    /// The request was malformed: our mistake.
    BadRequest,
    /// A passing fault of the provider or carrier.
    Transient,
    /// Too fast: the provider's rate was exceeded.
    Rate,
    /// A daily cap was reached: the sending number is held until it resets.
    Cap,
    /// The text's validity ended before it could be delivered.
    Expired,
    /// The provider does not say, or says something it does not document.
    Unknown,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 15] = [
        Self::InvalidRecipient,
        Self::Landline,
        Self::OptedOut,
        Self::Blocked,
        Self::Content,
        Self::Credentials,
        Self::SenderNumber,
        Self::Registration,
        Self::Account,
        Self::BadRequest,
        Self::Transient,
        Self::Rate,
        Self::Cap,
        Self::Expired,
        Self::Unknown,
    ];

    /// The number that stands for it in the database and in the API. Never 0, which means "no error".
    pub const fn code(self) -> i16 {
        match self {
            Self::InvalidRecipient => 1,
            Self::Landline => 2,
            Self::OptedOut => 3,
            Self::Blocked => 4,
            Self::Content => 5,
            Self::Credentials => 6,
            Self::SenderNumber => 7,
            Self::Registration => 8,
            Self::Account => 9,
            Self::BadRequest => 10,
            Self::Transient => 11,
            Self::Rate => 12,
            Self::Cap => 13,
            Self::Expired => 14,
            Self::Unknown => 15,
        }
    }

    /// Its name, as metrics and traces spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRecipient => "invalid_recipient",
            Self::Landline => "landline",
            Self::OptedOut => "opted_out",
            Self::Blocked => "blocked",
            Self::Content => "content",
            Self::Credentials => "credentials",
            Self::SenderNumber => "sender_number",
            Self::Registration => "registration",
            Self::Account => "account",
            Self::BadRequest => "bad_request",
            Self::Transient => "transient",
            Self::Rate => "rate",
            Self::Cap => "cap",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// The class that `code` stands for.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

/// What a provider said was wrong with one text: the class that we act on, and the provider's own code for
/// people to read. Codes compare as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendError {
    /// What it means to us.
    pub class: ErrorClass,
    /// The provider's own code, such as `30005`; `http-503` or `timeout` where it gave none.
    pub code: String,
}
