//! Provider accounts by the unguessable part of their webhook paths: asked for again every 5 seconds, and
//! known for 10 minutes while the control-plane does not answer, because providers repeat a webhook seldom.

use std::sync::Arc;

use muster_domain::id::{ProviderAccountId, TenantId};
use muster_domain::provider::Provider;
use muster_proto::internal::v1::Account as Listed;
use muster_providers::Adapter;
use muster_runtime::directory::{ACCOUNT_AGE_MAX, Directory, Kept, Unanswered};
use muster_runtime::frame::id_from;

/// The longest token that is asked for; ours have 43 characters.
const TOKEN_BYTES_MAX: usize = 128;

/// A provider account, ready to believe or not to believe a webhook.
pub(crate) struct Account {
    /// Its id.
    pub(crate) id: ProviderAccountId,
    /// Its tenant: whatever comes through it belongs to them.
    pub(crate) tenant: TenantId,
    /// The provider's rules.
    pub(crate) adapter: &'static dyn Adapter,
    /// What its webhooks are verified with.
    pub(crate) credentials: muster_providers::Account,
}

/// The accounts, as the directory knows them.
pub(crate) struct Accounts {
    directory: Directory,
    kept: Kept<String, Account>,
}

impl Accounts {
    /// The accounts in `directory`.
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory, kept: Kept::outlasting(ACCOUNT_AGE_MAX) }
    }

    /// The account that webhooks under `token` belong to.
    pub(crate) async fn get(&self, token: &str) -> Result<Option<Arc<Account>>, Arc<Unanswered>> {
        let plausible = (1..=TOKEN_BYTES_MAX).contains(&token.len())
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !plausible {
            return Ok(None);
        }
        self.kept.get(token, self.ask(token)).await
    }

    async fn ask(&self, token: &str) -> Result<Option<Account>, Unanswered> {
        let Some(listed) = self.directory.webhook_account(token).await? else { return Ok(None) };
        read(listed).map(Some)
    }
}

/// The account that the control-plane means.
pub(crate) fn read(listed: Listed) -> Result<Account, Unanswered> {
    let provider = i16::try_from(listed.provider).ok().and_then(Provider::from_code);
    Ok(Account {
        id: id_from(&listed.account_id)
            .map(ProviderAccountId)
            .ok_or(Unanswered::Unreadable("an account's id"))?,
        tenant: id_from(&listed.tenant_id).map(TenantId).ok_or(Unanswered::Unreadable("a tenant's id"))?,
        adapter: muster_providers::adapter(provider.ok_or(Unanswered::Unreadable("an account's provider"))?),
        credentials: muster_providers::Account {
            account_sid: listed.account_sid,
            api_user: listed.api_user,
            application_id: listed.application_id,
            api_secret: listed.api_secret.into(),
            webhook_key: listed.webhook_key.into(),
            second_webhook_key: listed.second_webhook_key.into(),
            base_url: Some(listed.base_url).filter(|url| !url.is_empty()),
        },
    })
}
