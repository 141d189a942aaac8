//! What is revoked ends within 5 seconds, everywhere and in the middle of a call; what is not goes on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use muster_domain::permission::Permission::{
    CampaignsRead, ContactsRead, ContactsWrite, ConversationsRead, MessagesRead, OptOutsRead,
};
use muster_proto::v1::import_contacts_request::Part;
use muster_proto::v1::{
    ApiKey, DeleteApiKeyRequest, DeleteMemberRequest, EventKind, ImportContactsRequest, ImportStart,
    Provider, Role, RotateApiKeyRequest, UpdateRoleRequest, WatchEventsRequest, WatchEventsResponse,
};
use muster_tests::stack::Organization;
use muster_tests::{Client, Stack, client};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::access::people::{key, own_role};
use crate::scene::{self, WITHIN};

/// What is promised, from the answer of the call that revokes.
const PROMISED: Duration = Duration::from_secs(5);
/// Between the chunks of an import that takes its time.
const CHUNK_PAUSE: Duration = Duration::from_millis(100);
/// How long the control-plane may be away for a stream to survive it: what guards allow, without a look at the edge.
const SHORT: Duration = Duration::from_millis(1_500);

/// Ways to take a caller's rights away.
#[derive(Clone, Copy, Debug)]
enum Way {
    DeleteKey,
    RotateKey,
    RemoveMember,
    NarrowRole,
}

const WAYS: [Way; 4] = [Way::DeleteKey, Way::RotateKey, Way::RemoveMember, Way::NarrowRole];

/// Somebody who may watch and import, for as long as nobody takes that away.
struct Victim {
    client: Client,
    role: String,
    /// The name of the key or the member.
    name: String,
}

impl Victim {
    async fn create(stack: &Stack, organization: &Organization, way: Way) -> Result<Self> {
        let (operator, tenant) = (&stack.operator, &organization.tenant);
        let role = own_role(operator, tenant, &[MessagesRead, ContactsRead, ContactsWrite]).await?;
        let (name, secret) = match way {
            Way::DeleteKey | Way::RotateKey | Way::NarrowRole => {
                key(operator, tenant, ApiKey { role: role.clone(), ..ApiKey::default() }).await?
            }
            Way::RemoveMember => {
                let (member, secret) = operator.join(tenant, "victim@example.org", &role).await?;
                (member.name, secret)
            }
        };
        Ok(Self { client: operator.with_key(&secret)?, role, name })
    }

    async fn revoke(&self, stack: &Stack, way: Way) -> Result<()> {
        let (operator, name) = (&stack.operator, self.name.clone());
        match way {
            Way::DeleteKey => drop(operator.api_keys().delete_api_key(DeleteApiKeyRequest { name }).await?),
            Way::RotateKey => {
                let request = RotateApiKeyRequest { name, overlap_seconds: 0 };
                drop(operator.api_keys().rotate_api_key(request).await?);
            }
            Way::RemoveMember => drop(operator.members().delete_member(DeleteMemberRequest { name }).await?),
            Way::NarrowRole => {
                let permissions = vec![CampaignsRead.name().to_owned()];
                let role = Some(Role { name: self.role.clone(), permissions, ..Role::default() });
                drop(operator.roles().update_role(UpdateRoleRequest { role, update_mask: None }).await?);
            }
        }
        Ok(())
    }
}

/// A watch that has begun.
async fn watch(client: &Client, tenant: &str) -> Result<Streaming<WatchEventsResponse>> {
    let request = WatchEventsRequest { parent: tenant.to_owned(), ..WatchEventsRequest::default() };
    let mut stream = client.events().watch_events(request).await?.into_inner();
    stream.message().await?.context("the watch ended at once")?;
    Ok(stream)
}

/// How a stream ended, and when.
async fn end_of(mut stream: Streaming<WatchEventsResponse>) -> (Option<Status>, Instant) {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return (None, Instant::now()),
            Err(status) => return (Some(status), Instant::now()),
        }
    }
}

/// How an import ends to which a line is added again and again, and when.
async fn end_of_import(client: Client, list: String) -> (Option<Status>, Instant) {
    let (parts, sent) = mpsc::channel(1);
    let feed = async move {
        let start = ImportStart { contact_list: list, phone_number_column: String::new() };
        let mut part = Part::Start(start);
        while parts.send(ImportContactsRequest { part: Some(part) }).await.is_ok() {
            part = Part::Chunk(b"phone\n".to_vec());
            tokio::time::sleep(CHUNK_PAUSE).await;
        }
    };
    let mut lists = client.contact_lists();
    let import = lists.import_contacts(ReceiverStream::new(sent));
    let answer = tokio::select! {
        answer = import => answer,
        () = feed => Err(Status::unknown("nobody took the import any more")),
    };
    (answer.err(), Instant::now())
}

/// How plain calls end that are made again and again, and when.
async fn end_of_calls(client: &Client, list: &str) -> (Option<Status>, Instant) {
    loop {
        if let Err(error) = client.list_contacts(list).await {
            return (client::status_of(&error).cloned(), Instant::now());
        }
    }
}

/// Takes a caller's rights away in the middle of everything, and measures how long that takes.
async fn revoked(stack: &Stack, organization: &Organization, list: &str, way: Way) -> Result<String> {
    let victim = Victim::create(stack, organization, way).await?;
    victim.client.list_contacts(list).await?;
    let watched = tokio::spawn(end_of(watch(&victim.client, &organization.tenant).await?));
    let imported = tokio::spawn(end_of_import(victim.client.clone(), list.to_owned()));
    // Both last, longer than any look at a credential is remembered.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    ensure!(!watched.is_finished() && !imported.is_finished(), "{way:?}: it ended before it was revoked");
    victim.revoke(stack, way).await?;
    let revoked = Instant::now();
    let ends = async { tokio::join!(end_of_calls(&victim.client, list), watched, imported) };
    let (called, watched, imported) =
        tokio::time::timeout(WITHIN, ends).await.with_context(|| format!("{way:?}: it goes on"))?;
    let mut took = Vec::new();
    for (what, (status, at)) in [("calls", called), ("a watch", watched?), ("an import", imported?)] {
        let code = status.as_ref().map(Status::code);
        let wanted = match way {
            Way::NarrowRole => Code::PermissionDenied,
            Way::DeleteKey | Way::RotateKey | Way::RemoveMember => Code::Unauthenticated,
        };
        ensure!(code == Some(wanted), "{way:?}: {what} ended with {status:?}");
        let after = at.saturating_duration_since(revoked);
        ensure!(after < PROMISED, "{way:?}: {what} went on for {after:?}");
        took.push(format!("{what} {after:.1?}"));
    }
    Ok(format!("{way:?}: {}", took.join(", ")))
}

#[tokio::test]
async fn what_is_revoked_ends_everywhere_within_the_promised_time() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let mut others = watch(&organization.client, &organization.tenant).await?;
    let all = WAYS.map(|way| revoked(&stack, &organization, &list, way));
    println!("{}", try_join_all(all).await?.join("\n"));
    // Who was not meant goes on watching.
    scene::broadcast(&stack, &organization, &list).await?;
    let frame = tokio::time::timeout(WITHIN, others.message()).await.context("no frame came")??;
    ensure!(!frame.context("the watch of another ended")?.events.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_watch_ends_with_the_permission_for_its_kind_and_no_other_does() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (operator, tenant) = (&stack.operator, &organization.tenant);
    let role = own_role(operator, tenant, &[ConversationsRead, OptOutsRead]).await?;
    let (_, secret) = key(operator, tenant, ApiKey { role: role.clone(), ..ApiKey::default() }).await?;
    let client = operator.with_key(&secret)?;
    let of = async |kind: EventKind| {
        let request =
            WatchEventsRequest { kinds: vec![kind.into()], parent: tenant.clone(), ..Default::default() };
        let mut stream = client.events().watch_events(request).await?.into_inner();
        stream.message().await?.context("the watch ended at once")?;
        anyhow::Ok(stream)
    };
    let replies = tokio::spawn(end_of(of(EventKind::Reply).await?));
    let opt_outs = tokio::spawn(end_of(of(EventKind::OptOut).await?));
    let narrowed = Role { name: role, permissions: vec![OptOutsRead.name().to_owned()], ..Role::default() };
    let request = UpdateRoleRequest { role: Some(narrowed), update_mask: None };
    operator.roles().update_role(request).await?;
    let changed = Instant::now();
    let (status, at) = tokio::time::timeout(WITHIN, replies).await.context("it goes on")??;
    ensure!(status.as_ref().map(Status::code) == Some(Code::PermissionDenied), "{status:?}");
    let after = at.saturating_duration_since(changed);
    ensure!(after < PROMISED, "it went on for {after:?}");
    // Whatever ends this one too has had the time to.
    tokio::time::sleep(PROMISED).await;
    ensure!(!opt_outs.is_finished(), "a watch ended that lost nothing");
    Ok(())
}

#[tokio::test]
async fn a_watch_ends_with_a_long_outage_of_those_who_know_its_key() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    let watched = tokio::spawn(end_of(watch(&organization.client, &organization.tenant).await?));
    stack.control_plane.kill9().await?;
    let killed = Instant::now();
    let (status, at) = tokio::time::timeout(WITHIN, watched).await.context("it goes on")??;
    let after = at.saturating_duration_since(killed);
    ensure!(status.as_ref().map(Status::code) == Some(Code::Unavailable), "{status:?}");
    ensure!(after < PROMISED, "it went on for {after:?}");
    Ok(())
}

#[tokio::test]
async fn a_watch_survives_a_short_absence_of_those_who_know_its_key() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    // On a busy machine a process may take its time to come up: then that says nothing.
    for _ in 0..5 {
        let mut stream = watch(&organization.client, &organization.tenant).await?;
        let away = Instant::now();
        stack.control_plane.kill9().await?;
        stack.control_plane.start_again().await?;
        if away.elapsed() > SHORT {
            stack.serving().await?;
            continue;
        }
        stack.serving().await?;
        scene::broadcast(&stack, &organization, &list).await?;
        let frame = tokio::time::timeout(WITHIN, stream.message()).await.context("no frame came")?;
        let frame = frame.context("the watch broke off")?.context("the watch ended")?;
        ensure!(!frame.events.is_empty());
        return Ok(());
    }
    anyhow::bail!("the control-plane was never back within {SHORT:?}")
}
