//! Provider accounts: what it takes to call. Asked for again every 5 seconds, and known for 10 minutes while
//! the control-plane does not answer.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::id::ProviderAccountId;
use muster_domain::provider::Provider;
use muster_proto::internal::v1::Account as Listed;
use muster_providers::{Adapter, Reference};
use muster_runtime::clock;
use muster_runtime::directory::{ACCOUNT_AGE_MAX, Directory, Kept, Unanswered};
use secrecy::SecretString;
use uuid::Uuid;

use crate::window::Window;

/// The pause before the directory is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A provider account, ready to call through.
pub(crate) struct Account {
    /// The provider's rules.
    pub(crate) adapter: &'static dyn Adapter,
    /// Credentials and addresses.
    pub(crate) credentials: muster_providers::Account,
    /// Where receipts go, without the query that says which message they are for.
    callback: String,
}

impl Account {
    /// Where the receipts of a message's attempt go.
    pub(crate) fn status_callback(&self, reference: Reference) -> String {
        let fragment = self.adapter.provider().webhook_fragment();
        format!("{}?{}{fragment}", self.callback, reference.query())
    }
}

/// Why there is no account to call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is none with this id.
    None,
    /// The directory did not answer in time.
    Unknown,
}

/// The accounts, as the directory knows them.
pub(crate) struct Accounts {
    directory: Directory,
    public_base_url: String,
    kept: Kept<Uuid, Account>,
}

impl Accounts {
    /// Accounts whose receipts go to the gateway at `public_base_url`.
    pub(crate) fn new(directory: Directory, public_base_url: &str) -> Self {
        let public_base_url = public_base_url.trim_end_matches('/').to_owned();
        Self { directory, public_base_url, kept: Kept::outlasting(ACCOUNT_AGE_MAX) }
    }

    /// The account with this id. Asks again while `window` is open where the directory does not answer.
    pub(crate) async fn get(&self, id: Uuid, window: &Window) -> Result<Arc<Account>, Missing> {
        loop {
            match self.kept.get(&id, self.ask(id)).await {
                Ok(found) => return found.ok_or(Missing::None),
                Err(error) if clock::instant() + RETRY_PAUSE >= window.end() => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(account.id = %id, error, "an account could not be learned in time");
                    return Err(Missing::Unknown);
                }
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
    }

    async fn ask(&self, id: Uuid) -> Result<Option<Account>, Unanswered> {
        let Some(listed) = self.directory.account(ProviderAccountId(id)).await? else { return Ok(None) };
        read(listed, &self.public_base_url).map(Some)
    }
}

fn read(listed: Listed, public_base_url: &str) -> Result<Account, Unanswered> {
    let provider = i16::try_from(listed.provider).ok().and_then(Provider::from_code);
    let provider = provider.ok_or(Unanswered::Unreadable("an account's provider"))?;
    Ok(Account {
        adapter: muster_providers::adapter(provider),
        callback: format!("{public_base_url}/webhooks/{}/status", listed.webhook_token),
        credentials: muster_providers::Account {
            account_sid: listed.account_sid,
            api_user: listed.api_user,
            application_id: listed.application_id,
            api_secret: listed.api_secret.into(),
            webhook_key: listed.webhook_key.into(),
            // Sender nodes take no webhooks.
            second_webhook_key: SecretString::default(),
            base_url: Some(listed.base_url).filter(|url| !url.is_empty()),
        },
    })
}
