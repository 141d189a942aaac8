//! A provider that is down while a node remembers it as one that answered.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_proto::v1::WhenDown;
use muster_tests::contacts::tidy;
use muster_tests::{Stack, StackOptions};

use super::{MOVED, NOBODY, Two, route};
use crate::scene;

/// The node that claimed last.
const LAST_NODE: &str = "SELECT node FROM claim_batches ORDER BY claim_time DESC LIMIT 1";

#[tokio::test]
async fn texts_move_though_a_node_that_had_their_number_before_knows_nothing_of_the_outage() -> Result<()> {
    const CONTACTS: usize = 200;
    let options = StackOptions { sender_nodes: 2, behaviour: scene::quick(), ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let mut two = Two::accounts(&stack, 1).await?;
    two.routes([route(0, 1, WhenDown::Move), route(1, 1, WhenDown::Wait)]).await?;
    // One number, so that one node has all of the account's texts.
    let database = stack.sql().await?;
    let rest = "DELETE FROM phone_numbers n USING (SELECT account_id, min(id::text) AS one FROM phone_numbers
                                                  WHERE phone LIKE '+19075552%' GROUP BY account_id) kept
                WHERE n.account_id = kept.account_id AND n.id::text <> kept.one";
    database.execute(rest, &[]).await?;
    database
        .execute("UPDATE phone_numbers SET segments_per_second = 10 WHERE phone LIKE '+19075552%'", &[])
        .await?;
    let sent_by = async |stack: &Stack| {
        two.delivered(&two.broadcast(&[]).await?, 1).await?;
        let name: String = database.query_one(LAST_NODE, &[]).await?.get(0);
        stack.sender_nodes.iter().position(|node| *node.name() == name).context("a node")
    };
    let before = sent_by(&stack).await?;
    // A node that begins anew has other shards: in the end the number is among them.
    for _ in 0..20 {
        if sent_by(&stack).await? != before {
            break;
        }
        stack.sender_nodes[1 - before].terminate(Duration::from_secs(30)).await?;
        stack.sender_nodes[1 - before].start_again().await?;
    }
    ensure!(sent_by(&stack).await? != before, "the number stays with its first node");

    two.first_at(&stack, NOBODY).await?;
    let file = tidy(2, CONTACTS);
    two.list = two.organization.list("More voters", &file.bytes).await?.0;
    let campaign = two.broadcast(&[]).await?;
    two.delivered(&campaign, CONTACTS).await?;
    let moved: i64 = database.query_one(MOVED, &[]).await?.get(0);
    ensure!(moved > 0, "nothing moved");
    stack.stop().await
}
