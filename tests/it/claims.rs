//! Claims, as the sender nodes ask for them.

use anyhow::{Result, ensure};
use muster_proto::internal::v1::ClaimMessagesRequest;
use muster_proto::internal::v1::claim_service_client::ClaimServiceClient;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_tests::wait;
use tonic::Code;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// A text that was ordered: its id, its attempt and its number.
const ORDERED: &str = "
SELECT s.message_id, s.attempt, m.number_id FROM message_states s JOIN messages m ON m.id = s.message_id
WHERE s.status = $1";

#[tokio::test]
async fn a_text_is_not_granted_to_an_order_of_another_number() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    stack.sender_nodes[0].kill9().await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let database = stack.sql().await?;
    let status = i16::try_from(i32::from(MessageStatus::Ordered))?;
    let ordered = async || Ok(database.query_opt(ORDERED, &[&status]).await?);
    let row = wait::until("the order", WITHIN, ordered).await?;
    let (message, attempt, number): (Uuid, i16, Uuid) = (row.get(0), row.get(1), row.get(2));

    let node = stack.dial().showing(&stack.authority.pair("sender-node"));
    let channel = node.channel(&stack.endpoints.internal_url, |endpoint| endpoint)?;
    let claim = async |numbers: &[Uuid]| {
        let ids = |ids: &[Uuid]| ids.iter().flat_map(|id| id.into_bytes()).collect::<Vec<u8>>().into();
        let request = ClaimMessagesRequest {
            node: "a-node".to_owned(),
            message_ids: ids(&vec![message; numbers.len()]),
            attempts: vec![u32::try_from(attempt)?; numbers.len()],
            number_ids: ids(numbers),
        };
        // For as long as the projection has just begun, nothing is granted.
        let answered =
            async || match ClaimServiceClient::new(channel.clone()).claim_messages(request.clone()).await {
                Ok(answer) => Ok(Some(answer.into_inner().messages)),
                Err(status) if status.code() == Code::Unavailable => Ok(None),
                Err(status) => Err(status.into()),
            };
        wait::until("the answer to a claim", WITHIN, answered).await
    };
    ensure!(claim(&[Uuid::from_u128(1)]).await?.is_empty(), "it was granted to another number's order");
    // It waits for its own order, and was not turned away.
    ensure!(scene::count(&organization, &campaign, MessageStatus::Ordered).await? == 1);
    let granted = claim(&[Uuid::from_u128(1), number]).await?;
    ensure!(granted.len() == 1, "{granted:?}");
    Ok(())
}
