//! Watchers are told of everything that happens, once each, and with the counts that the reports have.

mod crashes;
mod numbers;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail, ensure};
use muster_proto::v1::event::Kind;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{
    CampaignMode, CampaignProgress, CampaignState, Message, MessageStatus, OptOutCause, OptOutChange,
    Provider, Reply, ReplyKeyword, WatchEventsRequest, WatchEventsResponse,
};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::{InboundSpec, ReceiptSpec};
use muster_tests::Stack;
use muster_tests::stack::Organization;
use tonic::Streaming;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// A watcher of all that happens to a tenant.
struct Watcher {
    stream: Streaming<WatchEventsResponse>,
    /// Where the stream began.
    token: String,
    ids: HashSet<String>,
    told: Vec<Kind>,
}

impl Watcher {
    async fn begin(organization: &Organization) -> Result<Self> {
        Self::open(organization, None).await
    }

    /// One that is told all that happened since `token`.
    async fn since(organization: &Organization, token: &str) -> Result<Self> {
        Self::open(organization, Some(Start::ResumeToken(token.to_owned()))).await
    }

    async fn open(organization: &Organization, start: Option<Start>) -> Result<Self> {
        let request = WatchEventsRequest { parent: organization.tenant.clone(), start, ..Default::default() };
        let mut stream = organization.client.events().watch_events(request).await?.into_inner();
        let token = stream.message().await?.context("the watch begins")?.resume_token;
        Ok(Self { stream, token, ids: HashSet::new(), told: Vec::new() })
    }

    /// Waits until what was told so far is `enough`. Nothing may come twice.
    async fn until<T>(&mut self, what: &str, enough: impl Fn(&[Kind]) -> Option<T>) -> Result<T> {
        let wait = async {
            loop {
                if let Some(found) = enough(&self.told) {
                    return Ok(found);
                }
                let response = self.stream.message().await?.context("the watch ended")?;
                for event in response.events {
                    ensure!(!event.duplicate && self.ids.insert(event.id.clone()), "{event:?} came twice");
                    self.told.extend(event.kind);
                }
            }
        };
        match tokio::time::timeout(WITHIN, wait).await {
            Ok(found) => found,
            Err(_elapsed) => bail!("waited in vain for {what} among {:#?}", self.told),
        }
    }

    /// Waits until a campaign is told of as its report is now, and returns all that was told of it.
    async fn at_rest(
        &mut self,
        organization: &Organization,
        campaign: &str,
    ) -> Result<Vec<CampaignProgress>> {
        let report = organization.client.report(campaign).await?;
        let as_reported = |told: &[Kind]| {
            let told = progress(told, campaign);
            let newest = told.iter().max_by_key(|told| told.read_time.map(|t| (t.seconds, t.nanos)))?;
            let same = (newest.message_count, &newest.status_counts)
                == (report.message_count, &report.status_counts);
            same.then(|| told.clone())
        };
        self.until(&format!("{report:?}"), as_reported).await
    }
}

fn progress(told: &[Kind], campaign: &str) -> Vec<CampaignProgress> {
    let of = |kind: &Kind| if let Kind::CampaignProgress(told) = kind { Some(told.clone()) } else { None };
    told.iter().filter_map(of).filter(|told| told.campaign == campaign).collect()
}

fn replies(told: &[Kind]) -> Vec<Reply> {
    let of = |kind: &Kind| if let Kind::Reply(reply) = kind { Some(reply.clone()) } else { None };
    told.iter().filter_map(of).collect()
}

fn opt_outs(told: &[Kind]) -> Vec<OptOutChange> {
    let of = |kind: &Kind| if let Kind::OptOutChange(change) = kind { Some(change.clone()) } else { None };
    told.iter().filter_map(of).collect()
}

async fn say(stack: &Stack, message: &Message, body: &str) -> Result<()> {
    let spec = InboundSpec {
        from: message.to.clone(),
        to: message.from.clone(),
        body: body.to_owned(),
        times: 2,
        ..InboundSpec::default()
    };
    stack.simulator.inbound(&spec).await?;
    stack.events_are_projected(WITHIN).await
}

#[tokio::test]
async fn each_reply_and_each_real_opt_out_is_told_once_with_what_it_answers() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 6).await?;
    let (other, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    let latest = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &latest).await?;
    let message = messages.first().context("there are messages")?;
    let mut watcher = Watcher::begin(&organization).await?;
    let mut stranger = Watcher::begin(&other).await?;

    // The provider delivers each of them twice.
    for body in ["Who is this?", "STOP", "stop", "START", "start"] {
        say(&stack, message, body).await?;
    }
    let unknown = Message { to: "+12125550199".to_owned(), ..message.clone() };
    say(&stack, &unknown, "YES").await?;
    let told = watcher.until("6 replies", |told| Some(replies(told)).filter(|told| told.len() == 6)).await?;
    for reply in &told[..5] {
        ensure!(reply.from == message.to && reply.to == message.from, "{reply:?}");
    }
    let keywords: Vec<ReplyKeyword> = told.iter().map(Reply::keyword).collect();
    let (none, stop, start) = (ReplyKeyword::Unspecified, ReplyKeyword::Stop, ReplyKeyword::Start);
    ensure!(keywords == [none, stop, stop, start, start, none], "{keywords:?}");
    let names: HashSet<&str> = told.iter().map(|reply| reply.name.as_str()).collect();
    let kept = organization.client.list_replies(&organization.tenant).await?;
    ensure!(names == kept.iter().map(|reply| reply.name.as_str()).collect(), "{names:?}");

    let changes = opt_outs(&watcher.told);
    let said: Vec<(bool, OptOutCause, &str)> =
        changes.iter().map(|c| (c.opted_out, c.cause(), c.phone_number.as_str())).collect();
    let to = message.to.as_str();
    ensure!(said == [(true, OptOutCause::Reply, to), (false, OptOutCause::Reply, to)], "{said:?}");

    // Only the replies of whom the campaign's text went to are the campaign's, and only the latest campaign's.
    let start = Some(Start::ResumeToken(watcher.token.clone()));
    let of_message = WatchEventsRequest {
        parent: organization.tenant.clone(),
        campaign: latest,
        message: message.name.clone(),
        start,
        ..WatchEventsRequest::default()
    };
    let stream = organization.client.events().watch_events(of_message).await?.into_inner();
    watcher = Watcher { stream, token: String::new(), ids: HashSet::new(), told: Vec::new() };
    watcher.until("5 replies", |told| (replies(told).len() == 5).then_some(())).await?;
    say(&stack, &unknown, "And who are you?").await?;
    say(&stack, message, "Thank you").await?;
    let thanked = |told: &[Kind]| replies(told).last().is_some_and(|reply| reply.body == "Thank you");
    watcher.until("the last reply", |told| thanked(told).then_some(())).await?;
    ensure!(replies(&watcher.told).len() == 6, "{:#?}", watcher.told);
    scene::broadcast(&stack, &other, &other.list("Few", &muster_tests::contacts::tidy(2, 1).bytes).await?.0)
        .await?;
    stranger.until("its own texts", |told| (told.len() > 2).then_some(())).await?;
    ensure!(replies(&stranger.told).is_empty() && opt_outs(&stranger.told).is_empty());
    Ok(())
}

#[tokio::test]
async fn an_opt_out_that_the_provider_knows_of_is_told_once_a_person() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 2).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    for _ in 0..2 {
        let campaign = scene::broadcast(&stack, &organization, &list).await?;
        for message in organization.client.list_messages(&organization.tenant, &campaign).await? {
            if message.status() == MessageStatus::Sent {
                receipt(&stack, &organization, &message, ("undelivered", Some(21610)), 2).await?;
            }
        }
        stack.settled(WITHIN).await?;
        watcher.at_rest(&organization, &campaign).await?;
    }
    let told = opt_outs(&watcher.told);
    let by_provider = |change: &&OptOutChange| change.opted_out && change.cause() == OptOutCause::Provider;
    ensure!(told.len() == 2 && told.iter().filter(by_provider).count() == 2, "{told:?}");
    ensure!(told[0].phone_number != told[1].phone_number, "{told:?}");
    Ok(())
}

/// A receipt in Twilio's words.
async fn receipt(
    stack: &Stack,
    organization: &Organization,
    message: &Message,
    (state, code): (&str, Option<u32>),
    times: u8,
) -> Result<()> {
    let id = message.name.rsplit('/').next().context("a message has an id")?;
    let spec = ReceiptSpec {
        provider: "twilio".to_owned(),
        account_sid: organization.account_sid.clone(),
        state: state.to_owned(),
        code,
        message_id: Some(Uuid::parse_str(id)?),
        times,
        ..ReceiptSpec::default()
    };
    let answers = stack.simulator.receipt(&spec).await?.answers;
    ensure!(answers.iter().all(|answer| *answer == Some(200)), "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn every_change_names_the_number_that_the_text_is_sent_from() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 40).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    // By click, so that the change is made by a call, too; canceled, so that it is made by the dispatcher.
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    stack.settled(WITHIN).await?;
    for message in organization.client.claim_contacts(&campaign, "dana", 20).await? {
        organization.client.send(&message.name, "dana", "s1").await?;
    }
    stack.settled(WITHIN).await?;
    organization.client.cancel(&campaign).await?;
    let canceled = async || {
        let count = scene::count(&organization, &campaign, MessageStatus::Canceled).await?;
        Ok((count == 20).then_some(()))
    };
    muster_tests::wait::until("the rest to be canceled", WITHIN, canceled).await?;
    watcher.at_rest(&organization, &campaign).await?;

    let rows = stack.sql().await?.query("SELECT id::text, number_id::text FROM messages", &[]).await?;
    let number_of: HashMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for kind in &watcher.told {
        let Kind::StatusChange(change) = kind else { continue };
        let id = change.message.rsplit('/').next().context("an id")?;
        ensure!(
            change.phone_number.rsplit('/').next() == number_of.get(id).map(String::as_str),
            "{change:?}"
        );
        *seen.entry(id.to_owned()).or_default() += 1;
    }
    ensure!(seen.len() == 40 && seen.values().filter(|steps| **steps == 1).count() == 20, "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn progress_says_where_a_campaign_is_and_where_it_came_to_rest() -> Result<()> {
    let behaviour = Behaviour { refused_share: 0.2, undelivered_share: 0.2, ..scene::quick() };
    let stack = scene::stack(behaviour).await?;
    let (_second, _) = stack.another_control_plane().await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 200).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    stack.settled(WITHIN).await?;
    let told = watcher.at_rest(&organization, &campaign).await?;
    let last = told.last().context("it was told")?;
    ensure!(last.planned && last.state() == CampaignState::Running && last.message_count == 200, "{last:?}");
    for progress in &told {
        let sum: i64 = progress.status_counts.iter().map(|count| count.count).sum();
        ensure!(sum == progress.message_count && progress.read_time.is_some(), "{progress:?}");
    }

    // Changes of its state are told, though no count changes.
    for state in [CampaignState::Paused, CampaignState::Running, CampaignState::Canceled] {
        if state == CampaignState::Paused {
            organization.client.pause(&campaign).await?;
        } else if state == CampaignState::Running {
            organization.client.resume(&campaign).await?;
        } else {
            organization.client.cancel(&campaign).await?;
        }
        let is_so = |told: &[Kind]| progress(told, &campaign).last().is_some_and(|p| p.state() == state);
        watcher.until(&format!("{state:?}"), |told| is_so(told).then_some(())).await?;
    }
    Ok(())
}
