//! What people answer, in its conversations, and who must not be texted.

use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt as _;
use muster_proto::v1::{
    GetConversationRequest, ListConversationTextsRequest, ListConversationsRequest, ListOptOutsRequest,
    ListRepliesRequest, ReadReplyMediaRequest, ReadReplyMediaResponse,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::api;
use crate::failure::{Failure, Result};
use crate::resource::{CAMPAIGN, CONVERSATION};
use crate::session::Session;
use crate::show::Output;
use crate::verb::{Noun, Verb};

pub(crate) fn conversations() -> Noun {
    let columns = &["name", "phone_number", "number", "texter", "text_time", "reply_time", "unanswered"];
    let texts = &["time", "message.status", "message.body", "reply.body"];
    Noun {
        name: "conversations",
        about: "What was said between a person and one of our numbers",
        verbs: vec![
            Verb::named::<GetConversationRequest>("get", "Show a conversation", CONVERSATION),
            Verb::list_by("list", "List conversations in which somebody has replied", columns, list),
            Verb::list_by("texts", "List what was said in a conversation, oldest first", texts, said),
        ],
    }
}

pub(crate) fn replies() -> Noun {
    let columns = &["receive_time", "from", "to", "keyword", "body"];
    let media = vec![api::rpc::<ReadReplyMediaRequest>()];
    Noun {
        name: "replies",
        about: "What people answer",
        verbs: vec![
            Verb::list::<ListRepliesRequest>("list", "List replies, oldest first", columns),
            Verb::special("media", "Save a picture, sound or film of a reply", media, save),
        ],
    }
}

pub(crate) fn opt_outs() -> Noun {
    let columns = &["phone_number", "create_time"];
    Noun {
        name: "opt-outs",
        about: "Who must not be texted",
        verbs: vec![Verb::list::<ListOptOutsRequest>("list", "List opt-outs", columns)],
    }
}

#[derive(Args)]
struct List {
    /// Only those of this texter
    #[arg(long, value_name = "NAME", default_value = "")]
    texter: String,
    /// Only those whose last text is of this campaign
    #[arg(long)]
    campaign: Option<String>,
    /// Only those whose last reply nobody has answered
    #[arg(long)]
    unanswered: bool,
}

async fn list(session: &Session, flags: List) -> Result<ListConversationsRequest> {
    Ok(ListConversationsRequest {
        parent: session.tenant().await?,
        texter: flags.texter,
        campaign: CAMPAIGN.resolve_some(session, flags.campaign.as_deref()).await?,
        unanswered: flags.unanswered,
        ..ListConversationsRequest::default()
    })
}

#[derive(Args)]
struct OfConversation {
    /// The conversation: its id or its resource name
    conversation: String,
}

async fn said(session: &Session, flags: OfConversation) -> Result<ListConversationTextsRequest> {
    let parent = CONVERSATION.resolve(session, &flags.conversation).await?;
    Ok(ListConversationTextsRequest { parent, ..ListConversationTextsRequest::default() })
}

#[derive(Args)]
struct Save {
    /// The medium: its resource name, as its reply has it
    medium: String,
    /// The file to write, which must not be there yet; `-` is standard output
    file: PathBuf,
}

async fn save(session: &Session, _output: &Output, flags: Save) -> Result<()> {
    let mut parts = session.stream(&ReadReplyMediaRequest { name: flags.medium }).await?;
    let mut file: Option<Box<dyn AsyncWrite + Unpin>> = None;
    while let Some(part) = parts.try_next().await? {
        let part: ReadReplyMediaResponse = api::typed(&part)?;
        // Only now: a medium that is not stored leaves no empty file behind.
        let file = match &mut file {
            Some(file) => file,
            none => none.insert(create(&flags.file).await?),
        };
        let written = file.write_all(&part.chunk).await;
        written.map_err(|error| Failure::because("cannot write", error))?;
    }
    match &mut file {
        Some(file) => file.flush().await.map_err(|error| Failure::because("cannot write", error)),
        None => Ok(()),
    }
}

async fn create(path: &Path) -> Result<Box<dyn AsyncWrite + Unpin>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(tokio::io::stdout()));
    }
    match tokio::fs::File::create_new(path).await {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Failure::because(&format!("cannot create {}", path.display()), error)),
    }
}
