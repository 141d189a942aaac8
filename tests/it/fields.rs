//! A malformed call is told which field is wrong.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    CampaignMode, CreateCampaignRequest, GetCampaignRequest, ListCampaignsRequest, Provider, ProviderAccount,
    UpdateProviderAccountRequest,
};
use muster_tests::client::Draft;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::scene::{self, TEMPLATE, refusal};

/// The field that a refusal names in its details.
pub(crate) fn field(status: &Status) -> Result<String> {
    ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().context("no BadRequest among the details")?;
    let violation = details.field_violations.into_iter().next().context("no violation")?;
    ensure!(!violation.description.is_empty());
    Ok(violation.field)
}

#[tokio::test]
async fn a_malformed_call_names_the_bad_field() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let client = &organization.client;
    let good = Draft {
        tenant: organization.tenant.clone(),
        list,
        pool: organization.pool.clone(),
        mode: CampaignMode::Broadcast,
        template: TEMPLATE.to_owned(),
        media_urls: Vec::new(),
    };
    let bad = [
        ("parent", Draft { tenant: "tenants/x".to_owned(), ..good.clone() }),
        ("campaign.mode", Draft { mode: CampaignMode::Unspecified, ..good.clone() }),
        ("campaign.contact_list", Draft { list: "lists/1".to_owned(), ..good.clone() }),
        ("campaign.number_pool", Draft { pool: String::new(), ..good.clone() }),
        ("campaign.template", Draft { template: "Hi {first_name".to_owned(), ..good.clone() }),
        ("campaign.media_urls[0]", Draft { media_urls: vec!["ftp://x/y.png".to_owned()], ..good.clone() }),
    ];
    for (wrong, draft) in bad {
        let named = field(&refusal(client.create_campaign(draft).await)?)?;
        ensure!(named == wrong, "{named}, not {wrong}");
    }
    client.create_campaign(good).await?;

    let empty = CreateCampaignRequest { parent: organization.tenant.clone(), campaign: None };
    let status = client.campaigns().create_campaign(empty).await.err().context("not refused")?;
    ensure!(field(&status)? == "campaign", "{status:?}");
    let nameless = GetCampaignRequest { name: String::new() };
    let status = client.campaigns().get_campaign(nameless).await.err().context("not refused")?;
    ensure!(field(&status)? == "name", "{status:?}");
    let parent = organization.tenant.clone();
    let page = ListCampaignsRequest { parent, page_size: 10, page_token: "no token of ours".to_owned() };
    let status = client.campaigns().list_campaigns(page).await.err().context("not refused")?;
    ensure!(field(&status)? == "page_token", "{status:?}");
    Ok(())
}

/// Every field of an account that a provider may have or not have.
const FIELDS: [&str; 4] = ["account_sid", "api_user", "application_id", "webhook_key"];

/// The account with `value` in a field.
fn with(mut account: ProviderAccount, field: &str, value: &str) -> ProviderAccount {
    let place = match field {
        "account_sid" => &mut account.account_sid,
        "api_user" => &mut account.api_user,
        "application_id" => &mut account.application_id,
        _ => &mut account.webhook_key,
    };
    value.clone_into(place);
    account
}

#[tokio::test]
async fn an_account_has_what_its_provider_wants_and_nothing_else() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    for provider in muster_domain::provider::Provider::ALL {
        let fields = provider.account_fields();
        let wants = [fields.account_sid, fields.api_user, fields.application_id, fields.webhook_key];
        let bare = ProviderAccount {
            display_name: provider.name().to_owned(),
            provider: provider.code().into(),
            api_secret: "secret".to_owned(),
            ..ProviderAccount::default()
        };
        let wanted: Vec<_> =
            FIELDS.into_iter().zip(wants).filter_map(|(field, want)| want.map(|_| field)).collect();
        let whole = wanted.iter().fold(bare, |account, field| with(account, field, "given"));
        let kept = client.create_account(tenant, whole.clone()).await?;
        for field in FIELDS {
            // What it wants is missing, or what it has not is given: when the account is made, and when it is changed.
            let value = if wanted.contains(&field) { "" } else { "given" };
            let bad = with(whole.clone(), field, value);
            let named = self::field(&refusal(client.create_account(tenant, bad.clone()).await)?)?;
            ensure!(named == format!("provider_account.{field}"), "{provider}: {named}, not {field}");
            let change = UpdateProviderAccountRequest {
                provider_account: Some(ProviderAccount { name: kept.name.clone(), ..bad }),
                update_mask: Some(prost_types::FieldMask { paths: vec![field.to_owned()] }),
            };
            let refused = client.provider_accounts().update_provider_account(change).await;
            let named = self::field(&refused.err().context("not refused")?)?;
            ensure!(named == format!("provider_account.{field}"), "{provider}: {named}, not {field}");
        }
        let renamed = ProviderAccount {
            name: kept.name,
            display_name: "Renamed".to_owned(),
            ..ProviderAccount::default()
        };
        let renamed = client.update_account(renamed).await?;
        ensure!((renamed.account_sid, renamed.api_user) == (whole.account_sid, whole.api_user));
    }
    Ok(())
}
