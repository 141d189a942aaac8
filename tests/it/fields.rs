//! A malformed call is told which field is wrong.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    CampaignMode, CreateCampaignRequest, GetCampaignRequest, ListCampaignsRequest, Provider,
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
