//! Keys that the API is called with.

use clap::Args;
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, DeleteApiKeyRequest, GetApiKeyRequest, GetCallerRequest, GetCallerResponse,
    ListApiKeysRequest, RotateApiKeyRequest,
};
use prost_types::Timestamp;

use crate::failure::Result;
use crate::flags;
use crate::resource::{KEY, ROLE};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    let columns = &["name", "display_name", "role", "member", "hint", "expire_time", "last_use_time"];
    Noun {
        name: "keys",
        about: "API keys of programs and members",
        verbs: vec![
            Verb::call("create", "Create a key; its secret is shown only now", create),
            Verb::named::<GetApiKeyRequest>("get", "Show a key, without its secret", KEY),
            Verb::list::<ListApiKeysRequest>("list", "List keys, without their secrets", columns),
            Verb::call("rotate", "Give a key a new secret, which is shown only now", rotate),
            Verb::named::<DeleteApiKeyRequest>("delete", "Delete a key: it stops working", KEY).asks(),
        ],
    }
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
    /// What it may do: owner, admin, campaignManager, texter, viewer, or a role of the tenant's own
    #[arg(long, required_unless_present = "personal", conflicts_with = "personal")]
    role: Option<String>,
    /// Make it a key of the member who calls, which may do what they may
    #[arg(long)]
    personal: bool,
    /// Only this permission of those it would have, such as campaigns.read; can be repeated
    #[arg(long = "scope", value_name = "PERMISSION")]
    scopes: Vec<String>,
    /// When it stops working, such as 90d
    #[arg(long, value_name = "TIME", value_parser = flags::ahead)]
    expires: Option<Timestamp>,
}

async fn create(session: &Session, flags: Create) -> Result<CreateApiKeyRequest> {
    let member = match flags.personal {
        true => session.get::<_, GetCallerResponse>(&GetCallerRequest {}).await?.caller,
        false => String::new(),
    };
    let api_key = ApiKey {
        display_name: flags.display_name,
        role: ROLE.resolve_some(session, flags.role.as_deref()).await?,
        scopes: flags.scopes,
        member,
        expire_time: flags.expires,
        ..ApiKey::default()
    };
    Ok(CreateApiKeyRequest { parent: session.tenant().await?, api_key: Some(api_key) })
}

#[derive(Args)]
struct Rotate {
    /// The key: its id, its resource name, or what people call it
    key: String,
    /// How long the secret before goes on working, a week at most
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = flags::seconds)]
    overlap: i64,
}

async fn rotate(session: &Session, flags: Rotate) -> Result<RotateApiKeyRequest> {
    Ok(RotateApiKeyRequest { name: KEY.resolve(session, &flags.key).await?, overlap_seconds: flags.overlap })
}
