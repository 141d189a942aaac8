//! Who sees which events: kinds, filters, permissions and tenants.

use anyhow::{Context, Result, ensure};
use muster_domain::permission::Permission;
use muster_proto::internal::v1::{NumberRecord, OptOutRecord, ProgressRecord, ReplyRecord, StatusFrame};
use muster_proto::v1::event::Kind;
use muster_proto::v1::{ApiKey, Event, EventKind, Provider, WatchEventsRequest};
use muster_tests::stack::Organization;
use muster_tests::teller::{Teller, delivered, id};
use tonic::Code;
use uuid::Uuid;

use super::watcher::{Watcher, everything, open};
use crate::access::people::{key, own_role};
use crate::fields::field;
use crate::scene::{self, refusal};

/// One event of each kind, about campaign 7, message 1 and number 1 as far as it has them; and of other ones beside.
fn one_of_each() -> StatusFrame {
    StatusFrame {
        replies: vec![
            ReplyRecord {
                reply_id: id(3),
                body: "Yes!".to_owned(),
                campaign_id: id(7),
                message_id: id(1),
                number_id: id(1),
                ..ReplyRecord::default()
            },
            ReplyRecord { reply_id: id(4), ..ReplyRecord::default() },
        ],
        opt_outs: vec![OptOutRecord { phone: "+12025550123".to_owned(), ..OptOutRecord::default() }],
        progress: vec![ProgressRecord { campaign_id: id(7), ..ProgressRecord::default() }],
        numbers: vec![NumberRecord { number_id: id(1), ..NumberRecord::default() }],
        ..delivered(1, 2, 7)
    }
}

fn kind(event: &Event) -> EventKind {
    match event.kind {
        Some(Kind::StatusChange(_)) => EventKind::Status,
        Some(Kind::Reply(_)) => EventKind::Reply,
        Some(Kind::OptOutChange(_)) => EventKind::OptOut,
        Some(Kind::CampaignProgress(_)) => EventKind::CampaignProgress,
        Some(Kind::NumberHealth(_)) => EventKind::NumberHealth,
        None => EventKind::Unspecified,
    }
}

/// The kinds of the events of one frame that a watcher sees.
async fn seen(teller: &Teller, watcher: &mut Watcher) -> Result<Vec<EventKind>> {
    teller.tell(&one_of_each()).await?;
    Ok(watcher.next().await?.events.iter().map(kind).collect())
}

fn name(organization: &Organization, kind: &str, id: u128) -> String {
    format!("{}/{kind}/{}", organization.tenant, Uuid::from_u128(id))
}

fn only(organization: &Organization, kinds: &[EventKind]) -> WatchEventsRequest {
    let kinds = kinds.iter().map(|kind| i32::from(*kind)).collect();
    WatchEventsRequest { kinds, ..everything(organization) }
}

#[tokio::test]
async fn a_watcher_sees_what_it_asks_for_and_nothing_else() -> Result<()> {
    use EventKind::{CampaignProgress, NumberHealth, OptOut, Reply, Status};
    let stack = scene::stack(scene::quick()).await?;
    let (own, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (other, _) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    let teller = Teller::of(&stack, &own.tenant).await?;
    let mut stranger = Watcher::begin(&other.client, everything(&other)).await?;
    let all = || everything(&own);
    let campaign = |id| WatchEventsRequest { campaign: name(&own, "campaigns", id), ..all() };
    let message = |id| WatchEventsRequest { message: name(&own, "messages", id), ..all() };
    let phone_number = |id| WatchEventsRequest { phone_number: name(&own, "phoneNumbers", id), ..all() };
    let both = WatchEventsRequest { message: name(&own, "messages", 1), ..campaign(7) };
    let table = [
        (all(), vec![Status, Status, Reply, Reply, OptOut, CampaignProgress, NumberHealth]),
        (only(&own, &[Status]), vec![Status, Status]),
        (only(&own, &[Reply]), vec![Reply, Reply]),
        (only(&own, &[OptOut, NumberHealth]), vec![OptOut, NumberHealth]),
        (only(&own, &[CampaignProgress]), vec![CampaignProgress]),
        (campaign(7), vec![Status, Status, Reply, CampaignProgress]),
        (message(1), vec![Status, Reply]),
        (message(2), vec![Status]),
        (phone_number(1), vec![Status, Status, Reply, NumberHealth]),
        (both, vec![Status, Reply]),
    ];
    for (request, wanted) in table {
        let mut watcher = Watcher::begin(&own.client, request.clone()).await?;
        let seen = seen(&teller, &mut watcher).await?;
        ensure!(seen == wanted, "{request:?} shows {seen:?}, not {wanted:?}");
    }
    let mut nothing = Watcher::begin(&own.client, campaign(8)).await?;
    teller.tell(&one_of_each()).await?;
    nothing.nothing_comes().await?;
    stranger.nothing_comes().await?;

    let mut replies = Watcher::begin(&own.client, only(&own, &[Reply])).await?;
    teller.tell(&one_of_each()).await?;
    let response = replies.next().await?;
    let Some(Kind::Reply(reply)) = &response.events[0].kind else { anyhow::bail!("{response:?}") };
    ensure!(reply.body == "Yes!" && reply.name == name(&own, "replies", 3), "{reply:?}");
    Ok(())
}

#[tokio::test]
async fn a_filter_that_a_kind_does_not_have_is_refused() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (own, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let senseless = [
        WatchEventsRequest {
            message: name(&own, "messages", 1),
            ..only(&own, &[EventKind::Status, EventKind::NumberHealth])
        },
        WatchEventsRequest { campaign: name(&own, "campaigns", 1), ..only(&own, &[EventKind::OptOut]) },
        only(&own, &[EventKind::Unspecified]),
    ];
    for request in senseless {
        let status = refusal(open(&own.client, request).await)?;
        ensure!(field(&status)? == "kinds", "{status:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_watcher_sees_the_kinds_that_it_may_read() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (own, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let teller = Teller::of(&stack, &own.tenant).await?;
    let with = async |permissions: &[Permission]| {
        let role = own_role(&stack.operator, &own.tenant, permissions).await?;
        let (_, secret) = key(&stack.operator, &own.tenant, ApiKey { role, ..ApiKey::default() }).await?;
        own.client.with_key(&secret)
    };
    let client = with(&[Permission::NumbersRead, Permission::OptOutsRead]).await?;
    let mut watcher = Watcher::begin(&client, everything(&own)).await?;
    ensure!(seen(&teller, &mut watcher).await? == [EventKind::OptOut, EventKind::NumberHealth]);
    let named = open(&client, only(&own, &[EventKind::OptOut, EventKind::Reply])).await;
    let status = refusal(named)?;
    ensure!(status.code() == Code::PermissionDenied && status.message().contains("conversations.read"));
    let none = with(&[Permission::ContactsRead]).await?;
    scene::refused(open(&none, everything(&own)).await, Code::PermissionDenied)?;
    Ok(())
}

#[tokio::test]
async fn what_is_told_twice_is_marked() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (own, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let teller = Teller::of(&stack, &own.tenant).await?;
    let mut watcher = Watcher::begin(&own.client, everything(&own)).await?;
    let frames = [delivered(1, 2, 7), delivered(3, 1, 7)];
    for frame in [&frames[0], &frames[1], &frames[0]] {
        teller.tell(frame).await?;
    }
    let responses = [watcher.next().await?, watcher.next().await?, watcher.next().await?];
    let ids = responses.each_ref().map(|response| response.events.iter().map(|event| &event.id));
    let [first, second, again] = ids.map(Iterator::collect::<Vec<_>>);
    ensure!(first == again && first[0] != first[1] && !first.contains(&second[0]));
    let marked = responses.each_ref().map(|response| response.events.iter().all(|event| event.duplicate));
    ensure!(marked == [false, false, true], "{marked:?}");

    // A frame without an id is known by its place.
    let nameless = StatusFrame { frame_id: Default::default(), ..delivered(1, 1, 7) };
    teller.tell(&nameless).await?;
    let token = responses.into_iter().next_back().context("a response")?.resume_token;
    let id = watcher.ids(1).await?;
    ensure!(Watcher::resume(&own.client, everything(&own), &token).await?.ids(1).await? == id);
    Ok(())
}
