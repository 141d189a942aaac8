//! What people send along with a reply: fetched from their provider, stored, read, refused, lost for good, and erased.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{MediaReason, MediaState, Message, Provider, Reply, ReplyMedia};
use muster_provider_sim::PICTURE;
use muster_provider_sim::control::InboundSpec;
use muster_tests::stack::Organization;
use muster_tests::{Stack, wait};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::retention::{age, keep_for, looked_at};
use crate::scene::{self, WITHIN, refusal, refused};

const PROVIDERS: [Provider; 6] = [
    Provider::Twilio,
    Provider::Telnyx,
    Provider::Bandwidth,
    Provider::Plivo,
    Provider::Vonage,
    Provider::Sinch,
];

/// An organization that has texted somebody.
async fn texted(stack: &Stack, provider: Provider) -> Result<(Organization, Message)> {
    let (organization, list) = scene::organization(stack, provider, 1).await?;
    let campaign = scene::broadcast(stack, &organization, &list).await?;
    let text = organization.client.list_messages(&organization.tenant, &campaign).await?;
    Ok((organization, text.into_iter().next().context("a text")?))
}

/// Whoever was texted answers with these media.
async fn answer(stack: &Stack, text: &Message, media: &[&str]) -> Result<()> {
    let media = media.iter().map(|medium| (*medium).to_owned()).collect();
    let (from, to, body) = (text.to.clone(), text.from.clone(), "Look!".to_owned());
    let said = InboundSpec { from, to, body, media, times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&said).await?;
    stack.settled(WITHIN).await
}

/// The only reply.
async fn reply(organization: &Organization) -> Result<Reply> {
    let mut replies = organization.client.list_replies(&organization.tenant).await?;
    ensure!(replies.len() == 1, "{} replies", replies.len());
    replies.pop().context("a reply")
}

/// The media of all replies, once `are` holds.
async fn media(
    organization: &Organization,
    what: &str,
    are: impl Fn(&[ReplyMedia]) -> bool,
) -> Result<Vec<ReplyMedia>> {
    let seen = async || {
        let replies = organization.client.list_replies(&organization.tenant).await?;
        let media: Vec<ReplyMedia> = replies.into_iter().flat_map(|reply| reply.media).collect();
        Ok(are(&media).then_some(media))
    };
    wait::until(what, WITHIN, seen).await
}

/// Waits until so many media at least are stored.
pub(crate) async fn stored(organization: &Organization, count: usize) -> Result<Vec<ReplyMedia>> {
    let is = |medium: &&ReplyMedia| medium.state() == MediaState::Stored;
    media(organization, "media to be stored", |media| media.iter().filter(is).count() >= count).await
}

/// How many objects of a tenant are in the store.
pub(crate) fn kept(stack: &Stack, tenant: &str) -> Result<usize> {
    let folder = stack.run.path().join("media").join(tenant.rsplit('/').next().context("a name")?);
    if !folder.exists() {
        return Ok(0);
    }
    Ok(std::fs::read_dir(folder)?.count())
}

/// Lets everything of a tenant that is pending be tried now.
async fn try_now(stack: &Stack) -> Result<()> {
    let sql = "UPDATE reply_media SET next_try_time = now() WHERE state = 1";
    Ok(stack.sql().await?.batch_execute(sql).await?)
}

#[tokio::test]
async fn what_somebody_sends_is_stored_and_read_whoever_their_provider_is() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for provider in PROVIDERS {
        let (organization, text) = texted(&stack, provider).await?;
        answer(&stack, &text, &["/picture.png"]).await?;
        let media = stored(&organization, 1).await.with_context(|| format!("{provider:?}"))?;
        let size = i64::try_from(PICTURE.len())?;
        ensure!((&*media[0].content_type, media[0].size_bytes) == ("image/png", size), "{media:?}");
        let (told, bytes) = organization.client.read_medium(&media[0].name).await?;
        ensure!(told == media[0] && bytes == PICTURE, "{provider:?}: {told:?}, {} bytes", bytes.len());
        let answered = reply(&organization).await?;
        ensure!(answered.message == text.name && answered.campaign == text.campaign, "{answered:?}");
    }
    let (organization, text) = texted(&stack, Provider::Telnyx).await?;
    answer(&stack, &text, &["/note.txt", "/card.vcf", "/picture.png"]).await?;
    let media = stored(&organization, 3).await?;
    let kinds: Vec<&str> = media.iter().map(|medium| medium.content_type.as_str()).collect();
    ensure!(kinds == ["text/plain", "text/vcard", "image/png"], "they are not in their order: {kinds:?}");
    stack.stop().await
}

#[tokio::test]
async fn what_is_not_to_be_had_is_refused_or_tried_again_and_says_why() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, text) = texted(&stack, Provider::Telnyx).await?;
    let wanted = [
        ("/large.png", MediaState::Refused, MediaReason::TooLarge),
        ("/page.png", MediaState::Refused, MediaReason::ContentType),
        ("/loopback.png", MediaState::Refused, MediaReason::ForbiddenUrl),
        ("/metadata.png", MediaState::Refused, MediaReason::ForbiddenUrl),
        ("http://example.com/plain.png", MediaState::Refused, MediaReason::ForbiddenUrl),
        ("https://localhost/inside.png", MediaState::Refused, MediaReason::ForbiddenUrl),
        ("https://[::ffff:169.254.169.254]/", MediaState::Refused, MediaReason::ForbiddenUrl),
        ("/missing.png", MediaState::Pending, MediaReason::NotFound),
        ("/slow.png", MediaState::Pending, MediaReason::Unreachable),
        ("/picture.png", MediaState::Stored, MediaReason::Unspecified),
    ];
    answer(&stack, &text, &wanted.map(|(url, ..)| url)).await?;
    ensure!(reply(&organization).await?.body == "Look!", "the reply has to wait for its media");
    let judged = |media: &[ReplyMedia]| {
        let seen = media.iter().map(|medium| (medium.state(), medium.reason()));
        seen.eq(wanted.map(|(_, state, reason)| (state, reason)))
    };
    let found = media(&organization, "all media to be judged", judged).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => return Err(error.context(format!("{:#?}", reply(&organization).await?.media))),
    };
    ensure!(kept(&stack, &organization.tenant)? == 1, "what was refused is stored");
    for medium in &found[..9] {
        let status = refusal(organization.client.read_medium(&medium.name).await)?;
        let reason = status.get_details_error_info().map(|info| info.reason);
        ensure!(reason.as_deref() == Some("MEDIA_NOT_STORED"), "{status:?}");
    }
    // Three days later nobody asks for them any more.
    stack
        .sql()
        .await?
        .batch_execute("UPDATE replies SET receive_time = receive_time - interval '72 hours'")
        .await?;
    try_now(&stack).await?;
    let gone = |media: &[ReplyMedia]| media[7..9].iter().all(|medium| medium.state() == MediaState::Gone);
    let found = media(&organization, "media to be given up", gone).await?;
    let reasons: Vec<MediaReason> = found[7..9].iter().map(ReplyMedia::reason).collect();
    ensure!(reasons == [MediaReason::NotFound, MediaReason::Unreachable], "{reasons:?}");
    Ok(())
}

#[tokio::test]
async fn a_store_or_a_gateway_that_is_away_loses_nothing() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, text) = texted(&stack, Provider::Bandwidth).await?;
    let folder = stack.run.path().join("media");
    let away = folder.with_file_name("media-away");
    std::fs::rename(&folder, &away)?;
    std::fs::write(&folder, "no folder")?;
    answer(&stack, &text, &["/picture.png"]).await?;
    let failed = |media: &[ReplyMedia]| media.iter().any(|medium| medium.reason() == MediaReason::Store);
    let pending = media(&organization, "the store to fail", failed).await?;
    ensure!(pending[0].state() == MediaState::Pending, "{pending:?}");
    std::fs::remove_file(&folder)?;
    std::fs::rename(&away, &folder)?;
    try_now(&stack).await?;
    let first = stored(&organization, 1).await?;

    // Killed over one: another gateway takes it when its time is over.
    answer(&stack, &text, &["/slow.png", "/picture.png"]).await?;
    stack.gateway.kill9().await?;
    stack.gateway.start_again().await?;
    stack.serving().await?;
    try_now(&stack).await?;
    stored(&organization, 2).await?;
    // What the store has lost is an error, and not an empty picture.
    std::fs::remove_dir_all(folder.join(organization.tenant.rsplit('/').next().context("a name")?))?;
    refused(organization.client.read_medium(&first[0].name).await, Code::Internal)
}

#[tokio::test]
async fn media_are_erased_with_their_replies() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, text) = texted(&stack, Provider::Twilio).await?;
    let (other, other_text) = texted(&stack, Provider::Plivo).await?;
    for (whose, text) in [(&organization, &text), (&other, &other_text)] {
        answer(&stack, text, &["/picture.png"]).await?;
        stored(whose, 1).await?;
    }
    let name = reply(&organization).await?.media[0].name.clone();
    keep_for(&organization, 7).await?;
    let ended = async || Ok(organization.client.campaign(&text.campaign).await?.end_time.map(drop));
    wait::until("the campaign to be over", WITHIN, ended).await?;
    // The store is away just then.
    let folder = stack.run.path().join("media");
    let away = folder.with_file_name("media-away");
    std::fs::rename(&folder, &away)?;
    std::fs::write(&folder, "no folder")?;
    age(&stack, &organization.tenant, 8 * 24).await?;
    looked_at(&stack, &organization.tenant).await?;
    let erased = reply(&organization).await?;
    ensure!(erased.erase_time.is_some() && erased.media.is_empty() && erased.media_urls.is_empty());
    refused(organization.client.read_medium(&name).await, Code::NotFound)?;
    let failed = async || {
        let log = std::fs::read_to_string(stack.control_plane.log())?;
        Ok(log.contains("an object could not be erased").then_some(()))
    };
    wait::until("the store to fail", WITHIN, failed).await?;
    std::fs::remove_file(&folder)?;
    std::fs::rename(&away, &folder)?;
    ensure!(kept(&stack, &organization.tenant)? == 1);
    let sql = stack.sql().await?;
    let due = "UPDATE erased_objects SET due_time = now()";
    sql.batch_execute(due).await?;
    let gone = async || Ok((kept(&stack, &organization.tenant)? == 0).then_some(()));
    wait::until("the object to be erased", WITHIN, gone).await?;
    // A gateway was very slow, and stores it again.
    let key =
        async || anyhow::Ok(sql.query("SELECT object_key FROM erased_objects WHERE deleted", &[]).await?);
    let deleted = async || Ok(key().await?.first().map(|row| row.get::<_, String>(0)));
    let key = wait::until("that to be noted", WITHIN, deleted).await?;
    std::fs::create_dir_all(folder.join(&key).parent().context("a folder")?)?;
    std::fs::write(folder.join(&key), PICTURE)?;
    sql.batch_execute(due).await?;
    wait::until("the object to be erased again", WITHIN, gone).await?;
    let forgotten = async || Ok(sql.query("SELECT FROM erased_objects", &[]).await?.is_empty().then_some(()));
    wait::until("the object to be forgotten", WITHIN, forgotten).await?;
    ensure!(kept(&stack, &other.tenant)? == 1, "another tenant's was erased");
    ensure!(other.client.read_medium(&reply(&other).await?.media[0].name).await?.1 == PICTURE);
    Ok(())
}
