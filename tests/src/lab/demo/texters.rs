//! Texters: each takes some contacts, sends to one after the other with a click, and comes back for more.

use anyhow::Result;

use super::cast::Part;
use crate::wait;

const TEXTERS: [&str; 4] = ["Amina", "Bo", "Carmen", "Dev"];
/// Contacts that a texter takes at a time.
const HANDFUL: i32 = 20;
/// How long the first contacts may take to be planned.
const PLANNED_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Sends to everybody in a click campaign.
pub(super) async fn send_all(part: &Part) -> Result<()> {
    let client = &part.organization.client;
    let planned = async || Ok(client.campaign(&part.campaign).await?.planned.then_some(()));
    wait::until("the click campaign to be planned", PLANNED_WITHIN, planned).await?;
    futures::future::try_join_all(TEXTERS.map(|texter| send_some(part, texter))).await?;
    Ok(())
}

async fn send_some(part: &Part, texter: &str) -> Result<()> {
    let client = &part.organization.client;
    loop {
        let taken = client.claim_contacts(&part.campaign, texter, HANDFUL).await?;
        if taken.is_empty() {
            return Ok(());
        }
        for message in taken {
            client.send(&message.name, texter, "phone-bank").await?;
        }
    }
}
