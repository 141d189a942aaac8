//! One command's calls: a channel to the platform, the key on every call, and names as people write them.

use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use http::Uri;
use http::uri::PathAndQuery;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::api;
use crate::codec::Dynamic;
use crate::failure::{Exit, Failure, Result};
use crate::place::Place;
use muster_proto::v1::{GetCallerRequest, GetCallerResponse};

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a call may take: the longest walks through a whole audit log.
const CALL_WITHIN: Duration = Duration::from_secs(120);
/// How often a connection that says nothing is probed: a stream may say nothing for long.
const PROBE_EVERY: Duration = Duration::from_secs(20);
/// The largest answer: a page of a thousand texts, each with all that it may have.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long to wait before a read that nobody answered is made again.
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// A channel with the key on every call.
pub(crate) type Authorized = InterceptedService<Channel, Bearer>;

/// Puts the key on calls.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A platform that answers.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) place: Place,
    api: Channel,
    bearer: Bearer,
    tenant: OnceCell<String>,
}

impl Session {
    /// Calls a place. It connects when the first call is made.
    ///
    /// # Errors
    /// Where the key or the authorities cannot be used.
    pub(crate) fn new(place: Place) -> Result<Self> {
        let bearer = place.key.as_ref().map(|key| format!("Bearer {}", key.expose_secret()).parse());
        let bearer =
            bearer.transpose().map_err(|_| Failure::usage("the key has characters that no key has"))?;
        let api = channel(&place, &place.endpoint)?;
        Ok(Self { place, api, bearer: Bearer(bearer), tenant: OnceCell::new() })
    }

    /// The API, with the key.
    pub(crate) fn api(&self) -> Authorized {
        InterceptedService::new(self.api.clone(), self.bearer.clone())
    }

    /// The channels of the API and of event streams, without a key.
    ///
    /// # Errors
    /// Where the authorities cannot be used.
    pub(crate) fn doors(&self) -> Result<[Channel; 2]> {
        Ok([self.api.clone(), channel(&self.place, &self.place.events_endpoint)?])
    }

    /// Makes a call. A read that nobody answered is made again, three times.
    ///
    /// # Errors
    /// What the API answers.
    pub(crate) async fn call<R: Message + Name>(&self, request: &R) -> Result<DynamicMessage> {
        self.call_dynamic(&api::rpc::<R>(), &api::reflect(request)?).await
    }

    /// Makes a call whose answer is needed as what it is.
    ///
    /// # Errors
    /// What the API answers.
    pub(crate) async fn get<R: Message + Name, A: Message + Name + Default>(&self, request: &R) -> Result<A> {
        api::typed(&self.call(request).await?)
    }

    /// Makes a call of an rpc.
    ///
    /// # Errors
    /// What the API answers.
    pub(crate) async fn call_dynamic(
        &self,
        rpc: &MethodDescriptor,
        request: &DynamicMessage,
    ) -> Result<DynamicMessage> {
        let mut pauses = AGAIN_AFTER.iter().filter(|_| is_read(rpc));
        loop {
            let (mut grpc, path) = self.grpc(self.api.clone(), rpc).await?;
            let mut asked = Request::new(request.clone());
            asked.set_timeout(CALL_WITHIN);
            match grpc.unary(asked, path, Dynamic(rpc.output())).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if status.code() == Code::Unavailable => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(status.into()),
                },
                Err(status) => return Err(status.into()),
            }
        }
    }

    /// Opens a stream of answers.
    ///
    /// # Errors
    /// What the API answers; also each item may be an error, which is the last one then.
    pub(crate) async fn stream<R: Message + Name>(
        &self,
        request: &R,
    ) -> Result<impl Stream<Item = Result<DynamicMessage>> + Unpin + use<R>> {
        let rpc = api::rpc::<R>();
        // Its own connection: one that broke under an earlier stream may have taken its channel with it.
        let channel = channel(&self.place, self.address(&rpc))?;
        let (mut grpc, path) = self.grpc(channel, &rpc).await?;
        let answer =
            grpc.server_streaming(Request::new(api::reflect(request)?), path, Dynamic(rpc.output())).await?;
        Ok(answer.into_inner().map_err(Failure::from))
    }

    /// Where an rpc is served.
    fn address(&self, rpc: &MethodDescriptor) -> &Uri {
        let at_gateway = rpc.parent_service().name() == "EventService";
        if at_gateway { &self.place.events_endpoint } else { &self.place.endpoint }
    }

    async fn grpc(
        &self,
        channel: Channel,
        rpc: &MethodDescriptor,
    ) -> Result<(Grpc<Authorized>, PathAndQuery)> {
        let mut grpc = Grpc::new(InterceptedService::new(channel, self.bearer.clone()))
            .max_decoding_message_size(ANSWER_BYTES_MAX);
        grpc.ready().await.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
        Ok((grpc, PathAndQuery::try_from(path).map_err(|error| Failure::because("no path", error))?))
    }

    /// The tenant that the command is for: as flags, the environment or the context say, or the key's own.
    ///
    /// # Errors
    /// Where nothing says which, as for an operator.
    pub(crate) async fn tenant(&self) -> Result<String> {
        let found = self.tenant.get_or_try_init(async || match &self.place.tenant {
            Some(tenant) => crate::resource::TENANT.resolve(self, tenant).await,
            None => {
                let caller: GetCallerResponse = self.get(&GetCallerRequest {}).await?;
                if caller.tenant.is_empty() {
                    let message = "an operator calls for any tenant: say which";
                    return Err(Failure::usage(message)
                        .hint("`--tenant`, MUSTER_TENANT, or `muster context add --tenant`"));
                }
                Ok(caller.tenant)
            }
        });
        found.await.cloned()
    }

    /// Everything that a List rpc has, page by page; `each` takes an entry and says whether to go on.
    ///
    /// # Errors
    /// What the API answers.
    pub(crate) async fn pages(
        &self,
        rpc: &MethodDescriptor,
        mut request: DynamicMessage,
        mut each: impl AsyncFnMut(Vec<Value>, String) -> Result<bool>,
    ) -> Result<()> {
        loop {
            let answer = self.call_dynamic(rpc, &request).await?;
            let next = api::text_at(&answer, "next_page_token").unwrap_or_default();
            let entries = api::list_field(&answer).map(|field| answer.get_field(&field).into_owned());
            let entries =
                entries.and_then(|value| value.as_list().map(<[Value]>::to_vec)).unwrap_or_default();
            if !each(entries, next.clone()).await? || next.is_empty() {
                return Ok(());
            }
            request.set_field_by_name("page_token", Value::String(next));
        }
    }
}

/// Calls that change nothing.
fn is_read(rpc: &MethodDescriptor) -> bool {
    ["Get", "List", "Verify"].iter().any(|verb| rpc.name().starts_with(verb))
}

fn channel(place: &Place, uri: &Uri) -> Result<Channel> {
    let wrong = |error: tonic::transport::Error| Failure::because(&format!("cannot call {uri}"), error);
    let mut endpoint = Endpoint::from(uri.clone()).connect_timeout(CONNECT_WITHIN).tcp_nodelay(true);
    endpoint = endpoint.http2_keep_alive_interval(PROBE_EVERY);
    if uri.scheme_str() == Some("https") {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(ca) = &place.ca {
            let pem = std::fs::read(ca)
                .map_err(|error| Failure::because(&format!("cannot read {}", ca.display()), error))?;
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    Ok(endpoint.connect_lazy())
}
