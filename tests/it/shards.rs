//! Shards: sender nodes come and go, and each shard has one node that lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::contacts::{sending_numbers, tidy};
use muster_tests::stack::OrganizationOptions;
use muster_tests::{Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

/// How long the shards of a node that died may stay without one.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(10);
/// How long the shards of a node that left may stay without one.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(2);

/// Texts a second of a number that is watched while it is handed over.
const RATE: f64 = 4.0;

/// Which nodes claimed messages of each number after a moment on the database's clock.
const NODES_OF_NUMBERS: &str = "
SELECT m.number_id::text, b.node
FROM claim_batches b
CROSS JOIN LATERAL unnest(b.message_ids) AS claimed (id)
JOIN messages m ON m.id = claimed.id
WHERE b.claim_time > $1
GROUP BY m.number_id, b.node";

/// What nodes claimed for each number since `since`.
async fn nodes_of_numbers(
    stack: &Stack,
    since: jiff::Timestamp,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in stack.sql().await?.query(NODES_OF_NUMBERS, &[&since]).await? {
        of.entry(row.get(0)).or_default().insert(row.get(1));
    }
    Ok(of)
}

/// A stack with as many nodes, and a campaign that goes on for as long as its numbers need.
async fn under_way(nodes: usize, contacts: usize, numbers: usize, rate: f64) -> Result<(Stack, String)> {
    let behaviour = Behaviour { answer_ms: [20, 60], ..scene::quick() };
    let stack =
        Stack::start(StackOptions { sender_nodes: nodes, behaviour, ..StackOptions::default() }).await?;
    let options = OrganizationOptions {
        numbers: sending_numbers(numbers),
        segments_per_second: rate,
        ..OrganizationOptions::of(Provider::Twilio)
    };
    let organization = stack.organization(options).await?;
    let (list, _) = organization.list("Voters", &tidy(3, contacts).bytes).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    Ok((stack, campaign))
}

#[tokio::test]
async fn every_node_has_numbers_and_every_number_one_node() -> Result<()> {
    let (stack, _campaign) = under_way(3, 600, 60, 4.0).await?;
    let all_work = async || {
        let of = nodes_of_numbers(&stack, jiff::Timestamp::UNIX_EPOCH).await?;
        let nodes: BTreeSet<&String> = of.values().flatten().collect();
        Ok((nodes.len() == 3).then_some(()))
    };
    wait::until("all nodes to claim", WITHIN, all_work).await?;
    let since = jiff::Timestamp::now();
    stack.settled(WITHIN).await?;
    let of = nodes_of_numbers(&stack, since).await?;
    ensure!(of.len() > 30, "too little was left to see anything: {of:?}");
    let shared: Vec<_> = of.iter().filter(|(_, nodes)| nodes.len() > 1).collect();
    ensure!(shared.is_empty(), "numbers with two nodes: {shared:?}");
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == 600, "{verdict:?}");
    stack.stop().await
}

/// From `begun` until every number has been claimed by a node that is not `gone`.
async fn taken_over(stack: &Stack, begun: jiff::Timestamp, gone: &str, numbers: usize) -> Result<Duration> {
    let at = Instant::now();
    let others = async || {
        let of = nodes_of_numbers(stack, begun).await?;
        let by_others = of.values().filter(|nodes| nodes.iter().any(|node| node != gone)).count();
        Ok((by_others == numbers).then_some(()))
    };
    wait::until("the others to claim for all numbers", WITHIN, others).await?;
    Ok(at.elapsed())
}

#[tokio::test]
async fn the_shards_of_a_node_that_dies_go_to_the_others() -> Result<()> {
    let (mut stack, _campaign) = under_way(2, 1_500, 40, 2.0).await?;
    let works = async || {
        let of = nodes_of_numbers(&stack, jiff::Timestamp::UNIX_EPOCH).await?;
        let nodes: BTreeSet<&String> = of.values().flatten().collect();
        Ok((nodes.len() == 2).then_some(()))
    };
    wait::until("both nodes to claim", WITHIN, works).await?;
    let name = stack.sender_nodes[0].name().to_owned();
    let killed = jiff::Timestamp::now();
    stack.sender_nodes[0].kill9().await?;
    let took = taken_over(&stack, killed, &name, 40).await?;
    ensure!(took < TAKEN_OVER_WITHIN, "it took {took:?}");
    Ok(())
}

#[tokio::test]
async fn the_shards_of_a_node_that_leaves_go_to_the_others_at_once() -> Result<()> {
    // Every number sends four times a second, so a shard that is idle shows soon.
    let (mut stack, campaign) = under_way(2, 2_400, 40, RATE).await?;
    let works = async || {
        let of = nodes_of_numbers(&stack, jiff::Timestamp::UNIX_EPOCH).await?;
        let nodes: BTreeSet<&String> = of.values().flatten().collect();
        Ok((nodes.len() == 2).then_some(()))
    };
    wait::until("both nodes to claim", WITHIN, works).await?;
    let name = stack.sender_nodes[0].name().to_owned();
    let left = jiff::Timestamp::now();
    let (node, rest) = stack.sender_nodes.split_first_mut().context("there are nodes")?;
    ensure!(rest.len() == 1);
    let status = node.terminate(Duration::from_secs(30)).await?;
    ensure!(status.success(), "{status}");
    taken_over(&stack, left, &name, 40).await?;
    // By the database's clock: how long any number went without a claim.
    let gap = "SELECT max(gap) FROM (
                   SELECT extract(epoch FROM b.claim_time - lag(b.claim_time, 1, $1::timestamptz)
                          OVER (PARTITION BY m.number_id ORDER BY b.claim_time))::float8 AS gap
                   FROM claim_batches b
                   CROSS JOIN LATERAL unnest(b.message_ids) AS claimed (id)
                   JOIN messages m ON m.id = claimed.id
                   WHERE b.claim_time > $1) gaps";
    let gap: f64 = stack.sql().await?.query_one(gap, &[&left]).await?.get(0);
    // A number rests from one text to the next anyway, and waits one such time at its new node.
    ensure!(gap < HANDED_OVER_WITHIN.as_secs_f64() + 2.0 / RATE, "a number waited {gap} s");
    let unconfirmed = "SELECT count(*) FROM message_states WHERE status = $1";
    let code = i16::try_from(i32::from(MessageStatus::Unconfirmed))?;
    let unconfirmed: i64 = stack.sql().await?.query_one(unconfirmed, &[&code]).await?.get(0);
    ensure!(unconfirmed == 0, "{unconfirmed} of {campaign} are unconfirmed");
    Ok(())
}
