//! Resources as people name them: by the whole resource name, by the id at its end, or by what people call it.

use prost::Name;
use prost_reflect::{DynamicMessage, Value};

use crate::api;
use crate::failure::{Exit, Failure, Result};
use crate::session::Session;
use muster_proto::v1::{
    ListApiKeysRequest, ListCampaignsRequest, ListContactListsRequest, ListInvitationsRequest,
    ListMembersRequest, ListNumberPoolsRequest, ListProviderAccountsRequest, ListRolesRequest,
    ListRoutesRequest, ListTenantsRequest,
};

/// Entries of a page when something is looked for: the most there is.
const PAGE_SIZE: i32 = 1_000;
/// Fields that people know things by.
const KNOWN_BY: [&str; 2] = ["display_name", "email"];

/// A kind of resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource {
    /// What one is called.
    pub(crate) noun: &'static str,
    /// What comes before its id in its name.
    segment: &'static str,
    /// The request that lists all of a tenant's, where it may be looked for by what people call it.
    list: Option<fn() -> String>,
}

const fn listed<R: Name>(noun: &'static str, segment: &'static str) -> Resource {
    Resource { noun, segment, list: Some(R::full_name) }
}

const fn by_id(noun: &'static str, segment: &'static str) -> Resource {
    Resource { noun, segment, list: None }
}

pub(crate) const ACCOUNT: Resource = listed::<ListProviderAccountsRequest>("account", "providerAccounts");
pub(crate) const CAMPAIGN: Resource = listed::<ListCampaignsRequest>("campaign", "campaigns");
pub(crate) const CONVERSATION: Resource = by_id("conversation", "conversations");
pub(crate) const INVITATION: Resource = listed::<ListInvitationsRequest>("invitation", "invitations");
pub(crate) const KEY: Resource = listed::<ListApiKeysRequest>("key", "apiKeys");
pub(crate) const LIST: Resource = listed::<ListContactListsRequest>("list", "contactLists");
pub(crate) const MEMBER: Resource = listed::<ListMembersRequest>("member", "members");
pub(crate) const MESSAGE: Resource = by_id("message", "messages");
pub(crate) const NUMBER: Resource = by_id("number", "phoneNumbers");
pub(crate) const POOL: Resource = listed::<ListNumberPoolsRequest>("pool", "numberPools");
pub(crate) const ROLE: Resource = listed::<ListRolesRequest>("role", "roles");
pub(crate) const ROUTE: Resource = listed::<ListRoutesRequest>("route", "routes");
pub(crate) const TENANT: Resource = listed::<ListTenantsRequest>("tenant", "tenants");

impl Resource {
    /// What an argument for one of these may be.
    pub(crate) fn help(&self) -> String {
        match self.list {
            Some(_) => format!("The {}: its id, its resource name, or what people call it", self.noun),
            None => format!("The {}: its id or its resource name", self.noun),
        }
    }

    /// The resource name of what somebody wrote.
    ///
    /// # Errors
    /// Where several are called so, or none is.
    pub(crate) async fn resolve(&self, session: &Session, text: &str) -> Result<String> {
        if ["tenants/", "roles/"].iter().any(|begin| text.starts_with(begin)) {
            return Ok(text.to_owned());
        }
        let parent =
            if self.segment == TENANT.segment { None } else { Some(Box::pin(session.tenant()).await?) };
        match self.list {
            Some(list) if !is_id(text) => self.look_for(session, list(), parent, text).await,
            Some(_) | None => Ok(match parent {
                Some(parent) => format!("{parent}/{}/{text}", self.segment),
                None => format!("{}/{text}", self.segment),
            }),
        }
    }

    /// The same for what may be left out.
    ///
    /// # Errors
    /// As for one.
    pub(crate) async fn resolve_some(&self, session: &Session, text: Option<&str>) -> Result<String> {
        match text {
            Some(text) if !text.is_empty() => self.resolve(session, text).await,
            Some(_) | None => Ok(String::new()),
        }
    }

    async fn look_for(
        &self,
        session: &Session,
        list: String,
        parent: Option<String>,
        text: &str,
    ) -> Result<String> {
        let rpc = api::rpcs()
            .find(|rpc| rpc.input().full_name() == list)
            .expect("a list request belongs to an rpc");
        let mut request = DynamicMessage::new(rpc.input());
        request.set_field_by_name("page_size", Value::I32(PAGE_SIZE));
        if let Some(parent) = parent {
            request.set_field_by_name("parent", Value::String(parent));
        }
        let mut found = Vec::new();
        let each = async |entries: Vec<Value>, _next| {
            let named = entries.iter().filter_map(Value::as_message).filter(|entry| is_called(entry, text));
            found.extend(named.filter_map(|entry| api::text_at(entry, "name")));
            Ok(true)
        };
        session.pages(&rpc, request, each).await?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Failure::new(Exit::NotFound, format!("no {} is called {text}", self.noun))
                .hint("`muster status` says for which tenant; names are written exactly, or use the id")),
            several => {
                let message = format!("{} {}s are called {text}", several.len(), self.noun);
                Err(Failure::usage(message).hint(format!("use the id: {}", several.join(", "))))
            }
        }
    }
}

/// Whether people may mean `entry` by `text`.
fn is_called(entry: &DynamicMessage, text: &str) -> bool {
    let known = KNOWN_BY.iter().any(|field| api::text_at(entry, field).is_some_and(|called| called == text));
    known || api::text_at(entry, "name").is_some_and(|name| name.rsplit('/').next() == Some(text))
}

/// Whether a text is an id: 36 characters of hexadecimal digits and hyphens.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
