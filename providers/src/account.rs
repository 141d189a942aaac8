//! A tenant's account at a provider: what it takes to call it and to believe its webhooks.

use std::fmt;

use secrecy::SecretString;

/// Credentials and addresses of one provider account. Its secrets are zeroized when it is dropped, and `Debug` hides them.
#[derive(Clone)]
pub struct Account {
    /// The provider's name of the account: Twilio's account SID; unused by Telnyx.
    pub account_sid: String,
    /// The secret that authenticates our calls: Twilio's auth token, Telnyx's API key.
    pub api_secret: SecretString,
    /// What webhooks are verified with: Twilio's auth token, Telnyx's base64 public key.
    pub webhook_key: SecretString,
    /// Another base URL than the provider's own, set by an operator: a mock or a private gateway.
    pub base_url: Option<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("account_sid", &self.account_sid)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
