//! A provider's key is changed while webhooks go on coming: with two keys in between, none is refused.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_domain::provider::Provider as Rules;
use muster_proto::v1::{Provider, ProviderAccount, UpdateProviderAccountRequest};
use muster_provider_sim::account::AccountSpec;
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::Organization;
use muster_tests::{Stack, wait};

use super::letters::{delivered, id, provider_name, secret, status_url};
use super::wire::Wire;
use crate::scene::{self, WITHIN};

/// How long a change may take until the gateway goes by it: what it remembers, and time for a busy machine.
const CHANGED_WITHIN: Duration = Duration::from_secs(5 + 3);

/// A key that the simulator signs with from now on, and what verifies it.
async fn change_at_the_provider(stack: &Stack, organization: &Organization) -> Result<String> {
    let provider = provider_name(organization);
    let seed = "5a".repeat(32);
    let spec = AccountSpec {
        account_sid: organization.account_sid.clone(),
        api_secret: secret(organization)?,
        webhook_secret: Some(if provider == "telnyx" { seed } else { format!("new-{provider}") }),
        provider,
        ..AccountSpec::default()
    };
    Ok(stack.simulator.open_account(&spec).await?.webhook_key)
}

async fn update(
    organization: &Organization,
    account: ProviderAccount,
    paths: &[&str],
) -> Result<ProviderAccount> {
    let account = ProviderAccount { name: organization.account.clone(), ..account };
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateProviderAccountRequest {
        provider_account: Some(account),
        update_mask: Some(prost_types::FieldMask { paths }),
    };
    Ok(organization.client.provider_accounts().update_provider_account(request).await?.into_inner())
}

/// Posts it until it is answered so.
async fn until_answered(wire: &Wire, status: u16) -> Result<()> {
    let begun = Instant::now();
    let what = format!("{} to be answered with {status}", wire.target);
    wait::until(&what, WITHIN, async || Ok((wire.post().await? == status).then_some(()))).await?;
    ensure!(begun.elapsed() < CHANGED_WITHIN, "it took {:?}", begun.elapsed());
    Ok(())
}

/// Webhooks of an account that are signed with its old key, and with its new one; and that new one.
struct Rotating {
    organization: Organization,
    old: Wire,
    new: Wire,
    key: String,
}

impl Rotating {
    async fn begin(stack: &Stack, provider: Provider) -> Result<Self> {
        let (organization, list) = scene::organization(stack, provider, 1).await?;
        let campaign = scene::broadcast(stack, &organization, &list).await?;
        let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
        let text = id(&messages.first().context("a text")?.name)?;
        let (name, url) = (provider_name(&organization), status_url(&organization, text).await?);
        let signed_by = (name.as_str(), organization.account_sid.as_str());
        let old = delivered(stack, signed_by, text, url.clone(), 0).await?;
        let key = change_at_the_provider(stack, &organization).await?;
        let new = delivered(stack, signed_by, text, url, 0).await?;
        ensure!(old.post().await? == 200 && new.post().await? == 403, "{name}: before");
        Ok(Self { organization, old, new, key })
    }

    /// The new key beside the old one: both are good.
    async fn both(&self) -> Result<()> {
        let second_webhook_key = self.key.clone();
        let account = ProviderAccount { second_webhook_key, ..ProviderAccount::default() };
        let shown = update(&self.organization, account, &["second_webhook_key"]).await?;
        ensure!(shown.has_second_key && shown.second_webhook_key.is_empty(), "{shown:?}");
        until_answered(&self.new, 200).await?;
        ensure!(self.old.post().await? == 200, "the old key was forgotten");
        Ok(())
    }

    /// The new key in the place of the old one, which is worth nothing any more.
    async fn end(&self) -> Result<()> {
        let code = i16::try_from(i32::from(self.organization.provider))?;
        let fields = Rules::from_code(code).context("a provider")?.account_fields();
        let (account, of_key) = match fields.webhook_key {
            Some(_) => {
                (ProviderAccount { webhook_key: self.key.clone(), ..Default::default() }, "webhook_key")
            }
            None => (ProviderAccount { api_secret: self.key.clone(), ..Default::default() }, "api_secret"),
        };
        let shown = update(&self.organization, account, &[of_key, "second_webhook_key"]).await?;
        ensure!(!shown.has_second_key);
        until_answered(&self.old, 403).await?;
        ensure!(self.new.post().await? == 200, "the new key was forgotten");
        Ok(())
    }
}

#[tokio::test]
async fn a_key_is_changed_at_the_provider_and_no_webhook_is_refused() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let providers = [
        Provider::Twilio,
        Provider::Telnyx,
        Provider::Bandwidth,
        Provider::Plivo,
        Provider::Vonage,
        Provider::Sinch,
    ];
    let mut all = Vec::new();
    for provider in providers {
        all.push(Rotating::begin(&stack, provider).await?);
    }
    futures::future::try_join_all(all.iter().map(Rotating::both)).await?;
    futures::future::try_join_all(all.iter().map(Rotating::end)).await?;
    Ok(())
}
