//! Nobody sees what is another's, nor can tell that it is there.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, Provider, ProviderAccount};
use muster_tests::Client;
use muster_tests::client::Draft;
use tonic::Code;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, refusal, refused};

/// Demands that a stranger gets the same answer about somebody's resource as about one that is not there.
async fn hidden<T>(name: &str, mut ask: impl AsyncFnMut(String) -> Result<T>) -> Result<()> {
    let (parent, id) = name.rsplit_once('/').context("a name")?;
    ensure!(id.len() == 36, "no id at the end of {name}");
    let missing = format!("{parent}/{}", Uuid::from_u128(7));
    let (theirs, nobodys) = (refusal(ask(name.to_owned()).await)?, refusal(ask(missing.clone()).await)?);
    ensure!(theirs.code() == Code::NotFound, "{name}: {theirs:?}");
    let same = theirs.message().replace(name, "it") == nobodys.message().replace(&missing, "it");
    ensure!(same && nobodys.code() == theirs.code(), "{theirs:?} gives away more than {nobodys:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_anothers_looks_as_if_it_were_not_there() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (owner, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let campaign = scene::broadcast(&stack, &owner, &list).await?;
    let messages = owner.client.list_messages(&owner.tenant, &campaign).await?;
    let message = &messages.first().context("there is a message")?.name;
    let (stranger, _) = scene::organization(&stack, Provider::Telnyx, 3).await?;
    let client = &stranger.client;

    hidden(&campaign, async |name| client.campaign(&name).await).await?;
    hidden(&campaign, async |name| client.report(&name).await).await?;
    hidden(&campaign, async |name| client.start(&name).await).await?;
    hidden(&campaign, async |name| client.pause(&name).await).await?;
    hidden(&campaign, async |name| client.resume(&name).await).await?;
    hidden(&campaign, async |name| client.cancel(&name).await).await?;
    hidden(&campaign, async |name| client.claim_contacts(&name, "Amina", 1).await).await?;
    hidden(message, async |name| client.message(&name).await).await?;
    hidden(message, async |name| client.send(&name, "Amina", "").await).await?;
    hidden(&list, async |name| client.list_contacts(&name).await).await?;
    hidden(&list, async |name| client.list_rejected_rows(&name).await).await?;
    hidden(&list, async |name| client.import(&name, b"phone\n2125552368\n").await).await?;
    hidden(&owner.tenant, async |name| client.list_campaigns(&name).await).await?;
    hidden(&owner.tenant, async |name| client.list_replies(&name).await).await?;
    hidden(&owner.tenant, async |name| client.list_opt_outs(&name).await).await?;
    hidden(&owner.tenant, async |name| client.create_list(&name, "Mine").await).await?;
    hidden(&owner.tenant, async |name| client.watch(&name, "", |_| ()).await).await?;
    Ok(())
}

#[tokio::test]
async fn nobody_can_use_what_is_anothers() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (owner, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let (stranger, own_list) = scene::organization(&stack, Provider::Telnyx, 3).await?;
    let draft = |list: &str, pool: &str| Draft {
        tenant: stranger.tenant.clone(),
        list: list.to_owned(),
        pool: pool.to_owned(),
        mode: CampaignMode::Broadcast,
        template: TEMPLATE.to_owned(),
        media_urls: Vec::new(),
    };
    let client = &stranger.client;
    refused(client.create_campaign(draft(&list, &stranger.pool)).await, Code::InvalidArgument)?;
    refused(client.create_campaign(draft(&own_list, &owner.pool)).await, Code::InvalidArgument)?;
    let numbers = ["+12125550100".to_owned()];
    let foreign_account = client.create_pool(&stranger.tenant, &owner.account, &numbers, 1.0).await;
    refused(foreign_account, Code::InvalidArgument)
}

#[tokio::test]
async fn keys_say_who_may_do_what() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let client = &organization.client;
    let strangers = [client.without_key(), client.with_key("no-such-key")?];
    for nobody in &strangers {
        refused(nobody.list_campaigns(&organization.tenant).await, Code::Unauthenticated)?;
        refused(nobody.watch(&organization.tenant, "", |_| ()).await, Code::Unauthenticated)?;
        refused(nobody.create_tenant("Mine").await, Code::Unauthenticated)?;
    }
    refused(client.create_tenant("Mine").await, Code::PermissionDenied)?;
    refused(client.list_tenants().await, Code::PermissionDenied)?;
    refused(elsewhere(client, &organization.tenant).await, Code::PermissionDenied)
}

/// An account whose calls go where the caller says: with it, whoever chose the URL reads every text.
async fn elsewhere(client: &Client, tenant: &str) -> Result<ProviderAccount> {
    let account = ProviderAccount {
        display_name: "Elsewhere".to_owned(),
        provider: Provider::Twilio.into(),
        account_sid: "AC1".to_owned(),
        api_secret: "secret".to_owned(),
        base_url: "http://127.0.0.1:1".to_owned(),
        ..ProviderAccount::default()
    };
    client.create_account(tenant, account).await
}
