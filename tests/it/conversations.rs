//! Conversations: what was said between a person and a number, whose it is, and what waits for an answer.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::conversation_text::Text;
use muster_proto::v1::{
    CampaignMode, Conversation, ConversationText, ListConversationsRequest, Message, Provider,
};
use muster_provider_sim::control::InboundSpec;
use muster_tests::stack::Organization;
use muster_tests::{Stack, wait};
use tonic::Code;

use crate::scene::{self, TEMPLATE, WITHIN, refused};
use crate::texters::{click, somebody, text};

async fn say(stack: &Stack, text: &Message, body: &str) -> Result<()> {
    let (from, to) = (text.to.clone(), text.from.clone());
    let said = InboundSpec { from, to, body: body.to_owned(), times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&said).await?;
    stack.settled(WITHIN).await
}

/// What was said, in short.
fn told(texts: &[ConversationText]) -> Vec<String> {
    let told = texts.iter().map(|text| match &text.text {
        Some(Text::Message(message)) => message.name.clone(),
        Some(Text::Reply(reply)) => reply.body.clone(),
        None => String::new(),
    });
    told.collect()
}

fn all(organization: &Organization) -> ListConversationsRequest {
    // A page of two, so that there are several.
    ListConversationsRequest { parent: organization.tenant.clone(), page_size: 2, ..Default::default() }
}

fn phones(conversations: &[Conversation]) -> Vec<&str> {
    conversations.iter().map(|conversation| conversation.phone_number.as_str()).collect()
}

#[tokio::test]
async fn what_was_said_is_told_in_its_order_and_what_waits_is_found() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 4).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let first = scene::broadcast(&stack, &organization, &list).await?;
    let texts = client.list_messages(tenant, &first).await?;
    ensure!(client.list_conversations(all(&organization)).await?.is_empty(), "nobody has said anything");
    for (text, body) in texts.iter().zip(["one", "two", "three"]) {
        say(&stack, text, body).await?;
    }
    say(&stack, &texts[0], "four").await?;

    // The newest reply is first.
    let conversations = client.list_conversations(all(&organization)).await?;
    let wanted = [&texts[0].to, &texts[2].to, &texts[1].to];
    ensure!(phones(&conversations) == wanted, "{conversations:?}");
    ensure!(
        conversations.iter().all(|conversation| conversation.unanswered && conversation.texter.is_empty())
    );
    let newest = &conversations[0];
    ensure!((&newest.message, &newest.campaign) == (&texts[0].name, &first), "{newest:?}");
    ensure!((&newest.contact, &newest.number) == (&texts[0].contact, &texts[0].from), "{newest:?}");
    ensure!(client.conversation(&newest.name).await? == *newest);

    // A second campaign goes on in the same conversations; a texter's click is an answer, and a broadcast is none.
    let second = scene::broadcast(&stack, &organization, &list).await?;
    let amina = somebody(&stack, &organization, "amina", "roles/texter").await?;
    let clicks = click(&organization, &list, 4).await?;
    let sent = text(&amina, &clicks, 4).await?;
    stack.settled(WITHIN).await?;
    let third = sent.iter().find(|message| message.to == texts[0].to).context("a click")?;
    let answered = client.conversation(&newest.name).await?;
    ensure!(
        !answered.unanswered && answered.message == third.name && answered.campaign == clicks,
        "{answered:?}"
    );
    say(&stack, third, "five").await?;
    let again = client.conversation(&newest.name).await?;
    ensure!(again.unanswered && again.message == third.name && again.texter == answered.texter, "{again:?}");
    let replies = client.list_replies(tenant).await?;
    let five = replies.last().context("a reply")?;
    ensure!(
        (&five.conversation, &five.message, &five.campaign) == (&newest.name, &third.name, &clicks),
        "{five:?}"
    );

    let of_second = client.list_messages(tenant, &second).await?;
    let between = of_second.iter().find(|message| message.to == texts[0].to).context("a text")?;
    let wanted = [&*texts[0].name, "one", "four", &*between.name, &*third.name, "five"];
    for page_size in [1, 4, 0] {
        let said = client.conversation_texts(&newest.name, page_size).await?;
        ensure!(told(&said) == wanted, "{page_size}: {:?}", told(&said));
        ensure!(said.is_sorted_by_key(|text| text.time.map(|time| (time.seconds, time.nanos))));
    }

    let of = async |wanted: ListConversationsRequest| client.list_conversations(wanted).await;
    let unanswered = of(ListConversationsRequest { unanswered: true, ..all(&organization) }).await?;
    ensure!(phones(&unanswered) == [&texts[0].to], "{unanswered:?}");
    let campaign = of(ListConversationsRequest { campaign: clicks.clone(), ..all(&organization) }).await?;
    ensure!(campaign.len() == 3, "{campaign:?}");
    ensure!(of(ListConversationsRequest { campaign: first, ..all(&organization) }).await?.is_empty());
    let hers = of(ListConversationsRequest { texter: again.texter.clone(), ..all(&organization) }).await?;
    ensure!(hers.len() == 3 && hers[0].phone_number == texts[0].to, "{hers:?}");
    Ok(())
}

#[tokio::test]
async fn a_texter_sees_their_own_conversations_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 2).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let amina = somebody(&stack, &organization, "amina", "roles/texter").await?;
    let bruno = somebody(&stack, &organization, "bruno", "roles/texter").await?;
    let campaign = click(&organization, &list, 2).await?;
    let (hers, his) = (text(&amina, &campaign, 1).await?, text(&bruno, &campaign, 1).await?);
    stack.settled(WITHIN).await?;
    for message in hers.iter().chain(&his) {
        let (from, to, media) = (message.to.clone(), message.from.clone(), vec!["/picture.png".to_owned()]);
        let said = InboundSpec { from, to, media, times: 1, ..InboundSpec::default() };
        stack.simulator.inbound(&said).await?;
    }
    crate::media::stored(&organization, 2).await?;
    let conversations = client.list_conversations(all(&organization)).await?;
    let replies = client.list_replies(tenant).await?;
    for (texter, own, others) in [(&amina, &hers, &his), (&bruno, &his, &hers)] {
        let listed = texter.list_conversations(all(&organization)).await?;
        ensure!(phones(&listed) == [&own[0].to], "{listed:?}");
        // Who asks for another's sees their own.
        let texter_wanted =
            conversations.iter().find(|one| one.phone_number == others[0].to).context("one")?;
        let wanted = ListConversationsRequest { texter: texter_wanted.texter.clone(), ..all(&organization) };
        ensure!(texter.list_conversations(wanted).await? == listed);
        ensure!(texter.conversation(&listed[0].name).await? == listed[0]);
        ensure!(texter.conversation_texts(&listed[0].name, 0).await?.len() == 2);
        refused(texter.conversation(&texter_wanted.name).await, Code::NotFound)?;
        refused(texter.conversation_texts(&texter_wanted.name, 0).await, Code::NotFound)?;
        for reply in &replies {
            let read = texter.read_medium(&reply.media[0].name).await;
            if reply.from == own[0].to {
                read?;
            } else {
                refused(read, Code::NotFound)?;
            }
        }
    }
    // Nobody reads a medium by way of another reply.
    let mut crossed = replies[0].media[0].name.clone();
    crossed.replace_range(..replies[0].name.len(), &replies[1].name);
    refused(client.read_medium(&crossed).await, Code::NotFound)
}

#[tokio::test]
async fn a_conversation_that_nobody_has_answered_is_there_before_its_reply() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Plivo, 1).await?;
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    let client = &organization.client;
    client.start(&campaign).await?;
    let taken = async || Ok(client.claim_contacts(&campaign, "Desk 3", 1).await?.pop());
    let taken = wait::until("a contact to claim", WITHIN, taken).await?;
    client.send(&taken.name, "Desk 3", "").await?;
    stack.settled(WITHIN).await?;
    ensure!(client.list_conversations(all(&organization)).await?.is_empty());
    say(&stack, &taken, "Who is this?").await?;
    let listed = client.list_conversations(all(&organization)).await?;
    ensure!(listed.len() == 1 && listed[0].texter == "Desk 3" && listed[0].unanswered, "{listed:?}");
    Ok(())
}
