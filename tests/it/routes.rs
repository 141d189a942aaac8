//! Routes: through which account each text goes, and what becomes of those of an account whose provider does not answer.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    CampaignMode, DeleteRouteRequest, Message, MessageKind, MessageStatus, Provider, ProviderAccount, Route,
    UpdateRouteRequest, WhenDown,
};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::InboundSpec;
use muster_tests::client::Draft;
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, wait};
use prost_types::FieldMask;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// An organization with two accounts whose numbers are in one pool.
struct Two {
    organization: Organization,
    list: String,
    /// The other account; the organization's own is the first.
    second: String,
    /// The numbers of each.
    numbers: [HashSet<String>; 2],
}

impl Two {
    async fn accounts(stack: &Stack, contacts: usize) -> Result<Self> {
        let far = |provider, from: usize| OrganizationOptions {
            // All of one area code, so that area codes do not choose between the accounts.
            numbers: (from..from + 20).map(|number| format!("+1907555{number:04}")).collect(),
            ..OrganizationOptions::of(provider)
        };
        let (first, second) = (far(Provider::Twilio, 2_000), far(Provider::Telnyx, 3_000));
        let numbers = [&first, &second].map(|options| options.numbers.iter().cloned().collect());
        let organization = stack.organization(first).await?;
        let second = stack.further_account(&organization, second).await?;
        let file = muster_tests::contacts::tidy(1, contacts);
        let (list, _) = organization.list("Voters", &file.bytes).await?;
        Ok(Self { organization, list, second, numbers })
    }

    /// Gives both accounts a route of this weight and priority.
    async fn routes(&self, routes: [Route; 2]) -> Result<[Route; 2]> {
        let accounts = [self.organization.account.clone(), self.second.clone()];
        let create = async |(account, route): (String, Route)| {
            let route = Route { provider_account: account, ..route };
            self.organization.client.create_route(&self.organization.tenant, route).await
        };
        let [a, b] = accounts;
        let [first, second] = routes;
        Ok([create((a, first)).await?, create((b, second)).await?])
    }

    async fn broadcast(&self, media_urls: &[&str]) -> Result<String> {
        self.start(CampaignMode::Broadcast, media_urls).await
    }

    async fn start(&self, mode: CampaignMode, media_urls: &[&str]) -> Result<String> {
        let draft = Draft {
            tenant: self.organization.tenant.clone(),
            list: self.list.clone(),
            pool: self.organization.pool.clone(),
            mode,
            template: TEMPLATE.to_owned(),
            media_urls: media_urls.iter().map(|url| (*url).to_owned()).collect(),
        };
        let campaign = self.organization.client.create_campaign(draft).await?.name;
        self.organization.client.start(&campaign).await?;
        Ok(campaign)
    }

    /// The messages of a campaign once this many are planned.
    async fn planned(&self, campaign: &str, texts: usize) -> Result<Vec<Message>> {
        let planned = async || {
            let messages = self.messages(campaign).await?;
            Ok((messages.len() == texts).then_some(messages))
        };
        wait::until("the plan", WITHIN, planned).await
    }

    async fn messages(&self, campaign: &str) -> Result<Vec<Message>> {
        self.organization.client.list_messages(&self.organization.tenant, campaign).await
    }

    /// Points the first account somewhere.
    async fn first_at(&self, stack: &Stack, url: &str) -> Result<()> {
        let account = ProviderAccount {
            name: self.organization.account.clone(),
            base_url: url.to_owned(),
            ..ProviderAccount::default()
        };
        stack.operator.update_account(account).await?;
        Ok(())
    }

    /// How many texts the simulator accepted from the numbers of each account, by what is on its ledger.
    async fn accepted(&self, stack: &Stack) -> Result<[usize; 2]> {
        let ledger = stack.simulator.ledger().await?;
        let of = |numbers: &HashSet<String>| {
            ledger.entries.iter().filter(|entry| numbers.contains(&*entry.from)).count()
        };
        Ok([of(&self.numbers[0]), of(&self.numbers[1])])
    }

    /// Waits until this many texts of a campaign have arrived.
    async fn delivered(&self, campaign: &str, texts: usize) -> Result<()> {
        let arrived = async || {
            let delivered = scene::count(&self.organization, campaign, MessageStatus::Delivered).await?;
            Ok((usize::try_from(delivered)? == texts).then_some(()))
        };
        wait::until("the texts to arrive", WITHIN, arrived).await
    }
}

fn route(priority: i32, weight: i32, when_down: WhenDown) -> Route {
    Route { priority, weight, when_down: when_down.into(), ..Route::default() }
}

#[tokio::test]
async fn texts_go_by_weight_and_priority_and_kind() -> Result<()> {
    const CONTACTS: usize = 1_000;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    let client = &two.organization.client;
    let [first, second] = two.routes([route(0, 75, WhenDown::Wait), route(0, 25, WhenDown::Wait)]).await?;
    two.broadcast(&[]).await?;
    stack.settled(WITHIN).await?;
    let by_weight = two.accepted(&stack).await?;
    ensure!((650..=850).contains(&by_weight[0]) && by_weight[0] + by_weight[1] == CONTACTS, "{by_weight:?}");

    // Priority 0 before priority 1, for what both carry; MMS goes where it is carried.
    let changed = Route { name: second.name.clone(), priority: 1, ..Route::default() };
    client.routes().update_route(UpdateRouteRequest { route: Some(changed), update_mask: None }).await?;
    let sms_only =
        Route { name: first.name.clone(), kinds: vec![MessageKind::Sms.into()], ..Route::default() };
    let update_mask = Some(FieldMask { paths: vec!["kinds".to_owned()] });
    client.routes().update_route(UpdateRouteRequest { route: Some(sms_only), update_mask }).await?;
    two.broadcast(&[]).await?;
    stack.settled(WITHIN).await?;
    let by_priority = two.accepted(&stack).await?;
    ensure!(by_priority == [by_weight[0] + CONTACTS, by_weight[1]], "{by_weight:?}, {by_priority:?}");
    two.broadcast(&["https://example.org/picture.png"]).await?;
    stack.settled(WITHIN).await?;
    let by_kind = two.accepted(&stack).await?;
    ensure!(by_kind == [by_priority[0], by_priority[1] + CONTACTS], "{by_priority:?}, {by_kind:?}");

    // No route carries MMS any more: a campaign with media does not start.
    client.routes().delete_route(DeleteRouteRequest { name: second.name }).await?;
    let answer = two.broadcast(&["https://example.org/picture.png"]).await;
    let status = scene::refusal(answer)?;
    ensure!(status.code() == Code::FailedPrecondition, "{status:?}");
    let reason = status.get_details_error_info().map(|info| info.reason);
    ensure!(reason.as_deref() == Some("NO_ROUTE"), "{reason:?}");
    let again = Route { provider_account: first.provider_account.clone(), ..Route::default() };
    refused(client.create_route(&two.organization.tenant, again).await, Code::AlreadyExists)?;
    stack.judge().await?.demand()?;
    stack.stop().await
}

/// Everybody on the list who is texted from a number of the first account, and that number.
fn of_first(two: &Two, messages: &[Message]) -> Vec<(String, String)> {
    let of_first = messages.iter().filter(|message| two.numbers[0].contains(&message.from));
    of_first.map(|message| (message.to.clone(), message.from.clone())).collect()
}

#[tokio::test]
async fn texts_of_a_provider_that_is_down_move_but_for_conversations() -> Result<()> {
    const CONTACTS: usize = 400;
    const TALKING: usize = 3;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Move), route(0, 1, WhenDown::Wait)]).await?;
    // Nobody sends yet: a sender node would know the account as it was for some seconds.
    let before = two.start(CampaignMode::Click, &[]).await?;
    let people = of_first(&two, &two.planned(&before, CONTACTS).await?);
    for (from, to) in people.iter().take(TALKING).cloned() {
        let spec = InboundSpec { from, to, body: "Yes!".to_owned(), times: 1, ..InboundSpec::default() };
        stack.simulator.inbound(&spec).await?;
    }
    let heard = async || {
        let replies = two.organization.client.list_replies(&two.organization.tenant).await?;
        Ok((replies.len() == TALKING).then_some(()))
    };
    wait::until("the replies", WITHIN, heard).await?;

    two.first_at(&stack, NOBODY).await?;
    let campaign = two.broadcast(&[]).await?;
    two.delivered(&campaign, CONTACTS - TALKING).await?;
    let messages = two.messages(&campaign).await?;
    let waiting = of_first(&two, &messages);
    let talking: HashSet<_> = people.iter().take(TALKING).cloned().collect();
    ensure!(waiting.iter().cloned().collect::<HashSet<_>>() == talking, "{waiting:?}, not {talking:?}");
    let moved = messages.iter().find(|message| people.iter().skip(TALKING).any(|(to, _)| *to == message.to));
    let moved = two.organization.client.message(&moved.context("one that moved")?.name).await?;
    let (_, from) = people.iter().find(|(to, _)| *to == moved.to).context("its number before")?;
    let told = format!("moved from {from} to {}: the provider of {from} does not answer", moved.from);
    let steps: Vec<&str> = moved.history.iter().map(|step| step.cause.as_str()).collect();
    ensure!(steps.contains(&told.as_str()), "{steps:?}, not {told}");

    two.first_at(&stack, &stack.simulator.url()).await?;
    two.delivered(&campaign, CONTACTS).await?;
    stack.settled(WITHIN).await?;
    let messages = two.messages(&campaign).await?;
    ensure!(of_first(&two, &messages).iter().cloned().collect::<HashSet<_>>() == talking);
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == CONTACTS as u64, "{verdict:?}");
    stack.stop().await
}

#[tokio::test]
async fn a_conversation_that_a_click_begins_moves_with_its_text() -> Result<()> {
    const CONTACTS: usize = 30;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Move), route(1, 1, WhenDown::Wait)]).await?;
    two.first_at(&stack, NOBODY).await?;
    let tenant = &two.organization.tenant;
    let (_, secret) = stack.operator.join(tenant, "amina@example.org", "roles/texter").await?;
    let amina = stack.operator.with_key(&secret)?;
    let campaign = two.start(CampaignMode::Click, &[]).await?;
    two.planned(&campaign, CONTACTS).await?;
    for message in amina.claim_contacts(&campaign, "", i32::try_from(CONTACTS)?).await? {
        amina.send(&message.name, "", "").await?;
    }
    two.delivered(&campaign, CONTACTS).await?;
    let moved = two.messages(&campaign).await?.pop().context("a message")?;
    ensure!(two.numbers[1].contains(&moved.from), "it went out from {}", moved.from);
    let (from, to) = (moved.to, moved.from);
    let spec = InboundSpec { from, to, body: "Yes!".to_owned(), times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&spec).await?;
    let heard = async || Ok((!amina.list_replies(tenant).await?.is_empty()).then_some(()));
    wait::until("the reply to reach the texter", WITHIN, heard).await?;
    stack.judge().await?.demand()?;
    stack.stop().await
}

/// For how many seconds texts have come back uncalled.
const CAME_BACK_FOR_S: &str = "
SELECT coalesce(extract(epoch FROM max(time) - min(time)), 0)::float8 FROM message_events
WHERE error_code IN ('circuit-open', 'connect') AND status = 2";

#[tokio::test]
async fn texts_wait_where_their_route_says_so() -> Result<()> {
    const CONTACTS: usize = 400;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Wait), route(0, 1, WhenDown::Move)]).await?;
    two.first_at(&stack, NOBODY).await?;
    let campaign = two.broadcast(&[]).await?;
    let before = of_first(&two, &two.planned(&campaign, CONTACTS).await?);
    two.delivered(&campaign, CONTACTS - before.len()).await?;
    // Trials go on for longer than it takes before anything would move.
    let database = stack.sql().await?;
    let tried = async || {
        let seconds: f64 = database.query_one(CAME_BACK_FOR_S, &[]).await?.get(0);
        Ok((seconds > 10.0).then_some(()))
    };
    wait::until("trials to come back", WITHIN, tried).await?;
    let messages = two.messages(&campaign).await?;
    ensure!(of_first(&two, &messages) == before, "a text moved");
    let mut seen = false;
    for message in messages.iter().filter(|message| two.numbers[0].contains(&message.from)) {
        let history = two.organization.client.message(&message.name).await?.history;
        seen |= history.iter().any(|step| step.error_code == "circuit-open");
    }
    ensure!(seen, "no history says that a text waited");
    two.first_at(&stack, &stack.simulator.url()).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == CONTACTS as u64, "{verdict:?}");
    stack.stop().await
}

/// Messages that moved after a call whose outcome nobody knew.
const MOVED_IN_DOUBT: &str = "
SELECT count(*) FROM message_events doubt JOIN message_events moved USING (message_id)
WHERE doubt.status = 9 AND moved.cause LIKE 'moved from %' AND moved.time > doubt.time";

/// How many messages moved.
const MOVED: &str = "SELECT count(*) FROM message_events WHERE cause LIKE 'moved from %'";

#[tokio::test]
async fn what_a_provider_may_have_accepted_never_moves() -> Result<()> {
    const CONTACTS: usize = 300;
    let cut = Behaviour { reset_share: 1.0, reset_accepted_share: 0.5, ..scene::quick() };
    let stack = scene::stack(cut).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Move), route(1, 1, WhenDown::Wait)]).await?;
    let campaign = two.broadcast(&[]).await?;
    let database = stack.sql().await?;
    let doubted = async || {
        let in_doubt = scene::count(&two.organization, &campaign, MessageStatus::Unconfirmed).await?;
        Ok((in_doubt > 0).then_some(()))
    };
    wait::until("texts in doubt", WITHIN, doubted).await?;
    // What was never called, or came back uncalled, moves.
    let moved = async || Ok((database.query_one(MOVED, &[]).await?.get::<_, i64>(0) > 0).then_some(()));
    wait::until("texts to move", WITHIN, moved).await?;
    stack.simulator.behave(&scene::quick()).await?;
    stack.settled(WITHIN).await?;
    let in_doubt: i64 = database.query_one(MOVED_IN_DOUBT, &[]).await?.get(0);
    ensure!(in_doubt == 0, "{in_doubt} messages moved that were in doubt");
    let verdict = stack.judge().await?;
    ensure!(verdict.duplicates == 0, "{verdict:?}");
    let mut by_from: BTreeMap<bool, usize> = BTreeMap::new();
    for message in two.messages(&campaign).await? {
        if message.status() == MessageStatus::Unconfirmed {
            *by_from.entry(two.numbers[0].contains(&message.from)).or_default() += 1;
        }
    }
    ensure!(by_from.contains_key(&true) || verdict.unconfirmed == 0, "{by_from:?}");
    stack.stop().await
}

/// $3 more messages of campaign $1 that wait, due long ago, in equal parts for the numbers $2; everybody has a conversation
/// with their number.
const CROWD: &str = "
WITH crowd AS (
    SELECT uuid_in(md5(n.id::text || i)::cstring) AS id, n.id AS number_id, n.phone AS number_phone, n.tenant_id,
           '+1206' || lpad((row_number() OVER ())::text, 7, '0') AS phone
    FROM phone_numbers n, generate_series(1, $3::bigint / cardinality($2::text[])) AS i
    WHERE n.phone = ANY ($2)
), texts AS (
    INSERT INTO messages (id, tenant_id, campaign_id, contact_id, number_id, phone, body, segments, create_time)
    SELECT id, tenant_id, $1, id, number_id, phone, 'Hi!', 1, now() FROM crowd
), states AS (
    INSERT INTO message_states (message_id, tenant_id, campaign_id, update_time, expire_time, status, attempt)
    SELECT id, tenant_id, $1, now(), now() + interval '4 hours', 2, 1 FROM crowd
), talk AS (
    INSERT INTO conversations (tenant_id, phone, number_phone, texter, update_time, id)
    SELECT tenant_id, phone, number_phone, '', now(), gen_random_uuid() FROM crowd
)
INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time)
SELECT $1, number_id, id, tenant_id, 1, 1, now() - interval '1 hour', now() + interval '4 hours' FROM crowd";

#[tokio::test]
async fn conversations_that_wait_hold_up_nobody_who_may_move() -> Result<()> {
    // More than are looked at in one look, all of them ahead of those that may move.
    const TALKING: i64 = 6_000;
    const CONTACTS: usize = 400;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Move), route(0, 1, WhenDown::Wait)]).await?;
    two.first_at(&stack, NOBODY).await?;
    let campaign = two.broadcast(&[]).await?;
    let planned = two.planned(&campaign, CONTACTS).await?;
    // As if the campaign had thousands more whose recipients talk with their numbers, due before all others.
    let database = stack.sql().await?;
    let id: uuid::Uuid = campaign.rsplit('/').next().context("an id")?.parse()?;
    let numbers: Vec<&String> = two.numbers[0].iter().collect();
    database.execute(CROWD, &[&id, &numbers, &TALKING]).await?;
    let left = of_first(&two, &planned).len();
    let moved = async || {
        let moved: i64 = database.query_one(MOVED, &[]).await?.get(0);
        Ok((usize::try_from(moved)? >= left).then_some(()))
    };
    wait::until("all of them to move", WITHIN, moved).await
}
