//! A small client of the public API: the generated services with a key on every call, and short verbs over them.
//!
//! The verbs fail with [`anyhow::Error`]; [`status_of`] finds the gRPC status in it. A test that wants to see the
//! whole answer of a wrong call uses the service itself, such as [`Client::campaigns`].

mod audit;
mod campaigns;
mod conversations;
mod people;
mod setup;
mod tenants;
mod watch;

use std::time::Duration;

use anyhow::{Context, Result};
use muster_proto::v1::access_service_client::AccessServiceClient;
use muster_proto::v1::api_key_service_client::ApiKeyServiceClient;
use muster_proto::v1::audit_service_client::AuditServiceClient;
use muster_proto::v1::campaign_service_client::CampaignServiceClient;
use muster_proto::v1::contact_list_service_client::ContactListServiceClient;
use muster_proto::v1::conversation_service_client::ConversationServiceClient;
use muster_proto::v1::event_service_client::EventServiceClient;
use muster_proto::v1::member_service_client::MemberServiceClient;
use muster_proto::v1::message_service_client::MessageServiceClient;
use muster_proto::v1::number_service_client::NumberServiceClient;
use muster_proto::v1::provider_account_service_client::ProviderAccountServiceClient;
use muster_proto::v1::role_service_client::RoleServiceClient;
use muster_proto::v1::route_service_client::RouteServiceClient;
use muster_proto::v1::tenant_service_client::TenantServiceClient;
use muster_proto::v1::texting_service_client::TextingServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub use self::campaigns::{Draft, open_count};
pub use self::watch::{Seen, Watch};
use crate::tls::Dial;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take: far more than any does.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Entries of a page: the most there is.
const PAGE_SIZE: i32 = 1_000;

/// A channel with a key on every call.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// Puts a key on calls.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Somebody who calls the API: an operator, a tenant, or nobody in particular.
#[derive(Clone, Debug)]
pub struct Client {
    api: Channel,
    status: Channel,
    bearer: Bearer,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident on $channel:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> $client<Authorized> {
            $client::with_interceptor(self.$channel.clone(), self.bearer.clone())
        })*
    };
}

impl Client {
    /// Calls the control-plane at `api_url` and the gateway at `status_url` through `dial`, with `key`. It connects
    /// when it is first used, and again whenever it must.
    pub fn new(dial: &Dial, api_url: &str, status_url: &str, key: &str) -> Result<Self> {
        let status = |endpoint: Endpoint| endpoint.connect_timeout(CONNECT_TIMEOUT);
        let api = |endpoint: Endpoint| status(endpoint).timeout(CALL_TIMEOUT).tcp_nodelay(true);
        Ok(Self {
            api: dial.channel(api_url, api)?,
            status: dial.channel(status_url, status)?,
            bearer: Bearer(Some(bearer(key)?)),
        })
    }

    /// The same with another key.
    pub fn with_key(&self, key: &str) -> Result<Self> {
        Ok(Self { bearer: Bearer(Some(bearer(key)?)), ..self.clone() })
    }

    /// The same without a key.
    #[must_use]
    pub fn without_key(&self) -> Self {
        Self { bearer: Bearer(None), ..self.clone() }
    }

    /// The channel to the listener that serves `service`, without a key: for calls that no generated service makes.
    pub fn door(&self, service: &str) -> Channel {
        let at_gateway = service.ends_with("EventService");
        if at_gateway { self.status.clone() } else { self.api.clone() }
    }

    services! {
        /// Who the caller is.
        access: AccessServiceClient on api;
        /// Keys of programs.
        api_keys: ApiKeyServiceClient on api;
        /// The audit log.
        audit: AuditServiceClient on api;
        /// Members and invitations.
        members: MemberServiceClient on api;
        /// Roles.
        roles: RoleServiceClient on api;
        /// Routes over provider accounts.
        routes: RouteServiceClient on api;
        /// Client organizations.
        tenants: TenantServiceClient on api;
        /// Contact lists and imports.
        contact_lists: ContactListServiceClient on api;
        /// Accounts at providers.
        provider_accounts: ProviderAccountServiceClient on api;
        /// Pools and numbers.
        numbers: NumberServiceClient on api;
        /// Campaigns and reports.
        campaigns: CampaignServiceClient on api;
        /// What a texter does.
        texting: TextingServiceClient on api;
        /// Messages and their histories.
        messages: MessageServiceClient on api;
        /// Replies and opt-outs.
        conversations: ConversationServiceClient on api;
        /// Event streams, at the gateway.
        events: EventServiceClient on status;
    }
}

fn bearer(key: &str) -> Result<MetadataValue<Ascii>> {
    format!("Bearer {key}").parse().context("the key has characters that metadata cannot hold")
}

/// The gRPC status that a verb failed with.
pub fn status_of(error: &anyhow::Error) -> Option<&Status> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// All entries of a list, page by page: `page` takes a token and gives entries and the next token.
async fn all_pages<T>(mut page: impl AsyncFnMut(String) -> Result<(Vec<T>, String)>) -> Result<Vec<T>> {
    let (mut all, mut token) = page(String::new()).await?;
    while !token.is_empty() {
        let (entries, next) = page(token).await?;
        all.extend(entries);
        token = next;
    }
    Ok(all)
}
