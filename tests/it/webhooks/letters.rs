//! The genuine webhooks that mutations are made of.

use anyhow::{Context, Result};
use muster_provider_sim::control::{LetterSpec, ReceiptSpec};
use muster_tests::Stack;
use muster_tests::stack::Organization;
use uuid::Uuid;

use super::wire::Wire;

/// Genuine webhooks of one provider: "delivered" of a text that nothing was heard of yet.
pub(crate) struct Letters {
    /// The receipt itself.
    pub(crate) genuine: Wire,
    /// The same for another text.
    pub(crate) of_another_text: Wire,
    /// The same, as it was signed long ago.
    pub(crate) old: Wire,
    /// The same, as it will be signed in a while.
    pub(crate) future: Wire,
    /// The same, signed for the same path of another host.
    pub(crate) for_another_host: Wire,
    /// The same, signed by another account of the provider for this account's path.
    pub(crate) of_a_stranger: Wire,
    /// The path of that other account.
    pub(crate) strangers_path: String,
    /// The secret that the account's calls carry: its webhooks are signed with that, or with one made of it.
    pub(crate) secret: String,
}

/// Older than any provider's webhooks may be.
const OLD_S: i64 = 3 * 86_400;
/// Further ahead than any provider's clock may be.
const AHEAD_S: i64 = 400;

/// The provider's name at the simulator.
pub(super) fn provider_name(organization: &Organization) -> String {
    organization.provider.as_str_name().trim_start_matches("PROVIDER_").to_lowercase()
}

/// The id that a resource name ends with.
pub(super) fn id(name: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(name.rsplit('/').next().context("a name")?)?)
}

/// The secret that an account's calls carry at the simulator.
pub(super) fn secret(organization: &Organization) -> Result<String> {
    Ok(format!("secret-of-{}", organization.account_sid.strip_prefix("AC").context("an account's SID")?))
}

/// The URL of a text's receipts.
pub(super) async fn status_url(organization: &Organization, message: Uuid) -> Result<String> {
    let account = organization.client.account(&organization.account).await?;
    Ok(format!("{}?m={message}&a=1", account.status_webhook_url))
}

/// "Delivered" of a text, signed by an account of the simulator for this URL so many seconds ago.
pub(super) async fn delivered(
    stack: &Stack,
    (provider, account_sid): (&str, &str),
    message: Uuid,
    callback: String,
    age_s: i64,
) -> Result<Wire> {
    let receipt = ReceiptSpec {
        provider: provider.to_owned(),
        account_sid: account_sid.to_owned(),
        state: if provider == "bandwidth" { "message-delivered" } else { "delivered" }.to_owned(),
        message_id: Some(message),
        callback: Some(callback),
        ..ReceiptSpec::default()
    };
    let spec = LetterSpec { receipt: Some(receipt), inbound: None, age_s };
    Wire::of(stack.simulator.letter(&spec).await?)
}

impl Letters {
    /// Those of an organization for its first text; with its second, and with an organization that has nothing to do with
    /// it at the same provider.
    pub(crate) async fn of(
        stack: &Stack,
        organization: &Organization,
        [text, another]: [Uuid; 2],
        stranger: &Organization,
    ) -> Result<Self> {
        let (provider, url) = (provider_name(organization), status_url(organization, text).await?);
        let write = async |account_sid: &str, message, callback: String, age_s| {
            delivered(stack, (&provider, account_sid), message, callback, age_s).await
        };
        let own = &organization.account_sid;
        let genuine = write(own, text, url.clone(), 0).await?;
        let elsewhere = url.replace(&genuine.authority, "gw.muster.example");
        let for_another_host = write(own, text, elsewhere, 0).await?;
        Ok(Self {
            of_another_text: write(own, another, status_url(organization, another).await?, 0).await?,
            old: write(own, text, url.clone(), OLD_S).await?,
            future: write(own, text, url.clone(), -AHEAD_S).await?,
            for_another_host: Wire { authority: genuine.authority.clone(), ..for_another_host },
            of_a_stranger: write(&stranger.account_sid, text, url, 0).await?,
            strangers_path: Wire::of(muster_provider_sim::control::Written {
                url: status_url(stranger, text).await?,
                headers: Vec::new(),
                body: String::new(),
            })?
            .target,
            secret: secret(organization)?,
            genuine,
        })
    }
}
