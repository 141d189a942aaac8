//! Messages, and what a texter does with them.

use clap::Args;
use muster_proto::v1::{ClaimContactsRequest, GetMessageRequest, ListMessagesRequest, SendMessageRequest};

use crate::failure::Result;
use crate::flags;
use crate::resource::{CAMPAIGN, MESSAGE};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn messages() -> Noun {
    let columns = &["name", "to", "from", "status", "attempt", "error_class", "error_code", "update_time"];
    Noun {
        name: "messages",
        about: "Where each text is",
        verbs: vec![
            Verb::named::<GetMessageRequest>("get", "Show a message with its full history", MESSAGE),
            Verb::list_by("list", "List the messages of a campaign", columns, list),
        ],
    }
}

pub(crate) fn texting() -> Noun {
    Noun {
        name: "texting",
        about: "What a texter does in a click campaign",
        verbs: vec![
            Verb::call("claim", "Take contacts of a running click campaign", claim),
            Verb::call("send", "Send one message: one click, one text", send),
        ],
    }
}

#[derive(Args)]
struct List {
    /// The campaign: its id, its resource name, or what people call it
    campaign: String,
    /// Only messages of this status; can be repeated. A page may then have fewer entries than asked for, or none
    #[arg(long = "status", value_parser = flags::choice("MessageStatus"))]
    statuses: Vec<i32>,
}

async fn list(session: &Session, flags: List) -> Result<ListMessagesRequest> {
    let campaign = CAMPAIGN.resolve(session, &flags.campaign).await?;
    let parent = session.tenant().await?;
    Ok(ListMessagesRequest { parent, campaign, statuses: flags.statuses, ..ListMessagesRequest::default() })
}

#[derive(Args)]
struct Claim {
    /// The campaign: its id, its resource name, or what people call it
    campaign: String,
    /// How many, 200 at most
    #[arg(long, default_value_t = 50)]
    count: i32,
    /// Who takes them, otherwise the caller; needs the permission texting.delegate
    #[arg(long, value_name = "NAME", default_value = "")]
    texter: String,
}

async fn claim(session: &Session, flags: Claim) -> Result<ClaimContactsRequest> {
    let campaign = CAMPAIGN.resolve(session, &flags.campaign).await?;
    Ok(ClaimContactsRequest { campaign, texter: flags.texter, count: flags.count })
}

#[derive(Args)]
struct Send {
    /// The message: its id or its resource name
    message: String,
    /// Who clicked, otherwise the caller; needs the permission texting.delegate
    #[arg(long, value_name = "NAME", default_value = "")]
    texter: String,
    /// The session of the click, kept in the message's history
    #[arg(long, default_value = "")]
    session: String,
}

async fn send(session: &Session, flags: Send) -> Result<SendMessageRequest> {
    let name = MESSAGE.resolve(session, &flags.message).await?;
    Ok(SendMessageRequest { name, texter: flags.texter, session: flags.session })
}
