//! A tenant's account at a provider: what it takes to call it and to believe its webhooks.

use std::fmt;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

/// Credentials and addresses of one provider account. What each provider calls them, and which of them it has,
/// [`muster_domain::provider::Provider::account_fields`] says; a field that it does not have is empty. Its secrets are
/// zeroized when it is dropped, and `Debug` hides them.
#[derive(Clone, Default)]
pub struct Account {
    /// The provider's name of the account, such as Twilio's account SID.
    pub account_sid: String,
    /// Who calls, where that is not the account itself: Bandwidth's user name.
    pub api_user: String,
    /// The application at the provider that our numbers belong to: Bandwidth's.
    pub application_id: String,
    /// The secret that authenticates our calls, such as Twilio's auth token.
    pub api_secret: SecretString,
    /// What webhooks are verified with, such as Telnyx's public key. The secret of our calls where the provider has no
    /// other.
    pub webhook_key: SecretString,
    /// A second one that is as good, while the provider moves from one to the other; empty where there is none.
    pub second_webhook_key: SecretString,
    /// Another base URL than the provider's own, set by an operator: a mock or a private gateway. All calls go there,
    /// whichever of the provider's hosts they would go to.
    pub base_url: Option<String>,
}

impl Account {
    /// What webhooks are verified with: any of these will do.
    pub(crate) fn webhook_keys(&self) -> impl Iterator<Item = &SecretString> {
        let second = Some(&self.second_webhook_key).filter(|key| !key.expose_secret().is_empty());
        std::iter::once(&self.webhook_key).chain(second)
    }

    /// The base URL to call, where the provider's own is `own`.
    pub(crate) fn base<'a>(&'a self, own: &'a str) -> &'a str {
        self.base_url.as_deref().unwrap_or(own).trim_end_matches('/')
    }

    /// Whether `url` is on the host to call, where the provider's own base URL is `own`: of the same scheme and port, too.
    pub(crate) fn is_host_of(&self, url: &Uri, own: &str) -> bool {
        let place = |url: &Uri| Some((url.scheme_str()?.to_owned(), url.host()?.to_lowercase(), port(url)));
        let base = self.base(own).parse().ok().and_then(|base| place(&base));
        base.is_some() && base == place(url)
    }
}

fn port(url: &Uri) -> Option<u16> {
    url.port_u16().or_else(|| match url.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    })
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("account_sid", &self.account_sid)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
