//! Pacing: no number sends faster than its rate, from one text to the next, by the simulator's clock.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_domain::text;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_tests::contacts::{sending_numbers, tidy};
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

/// What the way to the provider through a busy machine may shift a text by.
const JITTER_S: f64 = 0.3;
/// Three segments, whoever it is for.
const LONG: &str = "The levee vote is on Tuesday, and what it decides stays for a generation. Polling stations are open \
    from seven in the morning until eight in the evening. Bring a card with your name and your photo, and a neighbor \
    who has not made up their mind yet. If you need a ride, or somebody to look after the children meanwhile, answer this \
    text, and one of us calls you back the same day.";

/// A campaign from one number.
struct Sending {
    organization: Organization,
    campaign: String,
    contacts: usize,
    segments_per_second: f64,
}

impl Sending {
    async fn start(
        stack: &Stack,
        provider: Provider,
        template: &str,
        contacts: usize,
        segments_per_second: f64,
    ) -> Result<Self> {
        let place = contacts % 97;
        let options = OrganizationOptions {
            numbers: sending_numbers(place + 1).split_off(place),
            segments_per_second,
            ..OrganizationOptions::of(provider)
        };
        let organization = stack.organization(options).await?;
        let (list, _) = organization.list("Voters", &tidy(1, contacts).bytes).await?;
        let campaign = organization.draft(CampaignMode::Broadcast, &list, template).await?;
        organization.client.start(&campaign).await?;
        Ok(Self { organization, campaign, contacts, segments_per_second })
    }

    /// Demands that, however long one looks and from whichever text on, no more was sent than the rate allows, and than
    /// `allowed` texts beyond that.
    async fn keeps_to_its_rate(&self, stack: &Stack, allowed: usize) -> Result<()> {
        let ledger = stack.simulator.ledger().await?;
        let own = ledger.entries.iter().filter(|entry| *entry.account == *self.organization.account_sid);
        let mut texts: Vec<(u64, u16)> =
            own.map(|entry| (entry.time_us, text::count(&entry.body).segments)).collect();
        texts.sort_unstable();
        ensure!(texts.len() == self.contacts, "{texts:?}");
        for (begin, (first_us, _)) in texts.iter().enumerate() {
            let mut segments = 0.0;
            let later = texts.get(begin + allowed..).unwrap_or_default();
            for (time_us, more) in later {
                let (took_s, least_s) =
                    ((time_us - first_us) as f64 / 1e6, segments / self.segments_per_second);
                ensure!(
                    took_s + JITTER_S >= least_s,
                    "from text {begin} on, {segments} segments in {took_s} s, not {least_s}: {texts:?}"
                );
                segments += f64::from(*more);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn orders_that_piled_up_are_sent_at_the_rate_of_their_number() -> Result<()> {
    ensure!(text::count(LONG).segments == 3);
    let mut stack = scene::stack(scene::quick()).await?;
    stack.sender_nodes[0].kill9().await?;
    let quick = Sending::start(&stack, Provider::Twilio, TEMPLATE, 60, 10.0).await?;
    let rare = Sending::start(&stack, Provider::Telnyx, TEMPLATE, 6, 0.5).await?;
    let long = Sending::start(&stack, Provider::Plivo, LONG, 15, 6.0).await?;
    let piled_up = async || {
        let ordered = scene::count(&quick.organization, &quick.campaign, MessageStatus::Ordered).await?;
        Ok((ordered >= 7).then_some(()))
    };
    wait::until("orders to pile up", WITHIN, piled_up).await?;
    stack.sender_nodes[0].start_again().await?;
    stack.settled(WITHIN).await?;
    stack.judge().await?.demand()?;
    for sending in [quick, rare, long] {
        sending.keeps_to_its_rate(&stack, 0).await?;
    }
    stack.stop().await
}

/// The nodes that have claimed, the latest first.
const NODES: &str = "SELECT node FROM claim_batches GROUP BY node ORDER BY max(claim_time) DESC";

#[tokio::test]
async fn a_number_that_is_handed_over_keeps_to_its_rate_but_for_one_text() -> Result<()> {
    let mut stack =
        Stack::start(StackOptions { sender_nodes: 2, behaviour: scene::quick(), ..StackOptions::default() })
            .await?;
    let sending = Sending::start(&stack, Provider::Twilio, LONG, 24, 6.0).await?;
    let database = stack.sql().await?;
    let nodes = async || {
        let rows = database.query(NODES, &[]).await?;
        anyhow::Ok(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())
    };
    let under_way = async || {
        let sent = scene::count(&sending.organization, &sending.campaign, MessageStatus::Delivered).await?;
        Ok((sent >= 6).then_some(()))
    };
    wait::until("some texts to arrive", WITHIN, under_way).await?;
    let owner = nodes().await?.into_iter().next().context("nobody has claimed")?;
    let owner = stack.sender_nodes.iter_mut().find(|node| node.name() == owner).context("no such node")?;
    owner.terminate(Duration::from_secs(30)).await?;
    stack.settled(WITHIN).await?;
    let nodes = nodes().await?;
    ensure!(nodes.len() == 2, "it was not handed over: {nodes:?}");
    stack.judge().await?.demand()?;
    sending.keeps_to_its_rate(&stack, 1).await
}
