//! Any rpc of the API, called by its descriptor: the request is built from what the table says, and goes out as bytes.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use muster_runtime::access::table::{self, Rule};
use muster_tests::Client;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MethodDescriptor, ReflectMessage as _, Value};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

/// Far more than a call takes; the first message of a stream included.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// What fields hold that are no names, so that a call gets as far as the names. Where a new rpc is refused because of
/// another field, what it wants goes in here.
const WORDS: [(&str, &str); 6] = [
    ("account_sid", "AC1"),
    ("api_secret", "secret-of-the-matrix"),
    ("display_name", "Generic"),
    ("email", "generic@example.org"),
    ("phone_number", "+12125550123"),
    ("template", "Hello"),
];

/// An rpc with what the table says of it.
#[derive(Clone)]
pub(super) struct Rpc {
    pub(super) rule: &'static Rule,
    method: MethodDescriptor,
}

/// Bytes in, bytes out.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining()).to_vec()))
    }
}

/// Every rpc of the descriptor set, each with its rule.
pub(super) fn rpcs() -> Result<Vec<Rpc>> {
    let pool = DescriptorPool::decode(muster_proto::PUBLIC_DESCRIPTORS)?;
    let services: Vec<_> = pool.services().filter(|service| service.package_name() == "muster.v1").collect();
    let rpcs = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
    let rpcs: Vec<Rpc> = rpcs
        .map(|method| {
            let path = path(&method);
            let rule = table::rule(&path).with_context(|| format!("{path} needs a row in the table"))?;
            Ok(Rpc { rule, method })
        })
        .collect::<Result<_>>()?;
    ensure!(rpcs.len() == table::TABLE.len(), "{} rpcs, {} rules", rpcs.len(), table::TABLE.len());
    Ok(rpcs)
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

impl Rpc {
    /// Such as `CampaignService.GetCampaign`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.rule.service, self.rule.method)
    }

    /// A request with these names in it, and words in the fields beside them.
    pub(super) fn request<'a>(&self, names: impl IntoIterator<Item = (&'a str, String)>) -> Result<Vec<u8>> {
        let mut request = DynamicMessage::new(self.method.input());
        fill(&mut request)?;
        for (field, name) in names {
            put(&mut request, field, name).with_context(|| format!("{field} of {}", self.name()))?;
        }
        Ok(request.encode_to_vec())
    }

    /// A request that says nothing.
    pub(super) fn empty() -> Vec<u8> {
        Vec::new()
    }

    /// Calls it at the listener that serves it. Of a stream from there the first message is awaited.
    pub(super) async fn call(
        &self,
        client: &Client,
        credential: Option<&str>,
        request: Vec<u8>,
    ) -> Result<(), Status> {
        let answer = tokio::time::timeout(CALL_WITHIN, self.exchange(client, credential, request));
        answer.await.unwrap_or_else(|_elapsed| Err(Status::deadline_exceeded("no answer came")))
    }

    async fn exchange(
        &self,
        client: &Client,
        credential: Option<&str>,
        request: Vec<u8>,
    ) -> Result<(), Status> {
        let mut grpc = Grpc::new(client.door(self.rule.service));
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::try_from(path(&self.method)).map_err(|_| Status::internal("a path"))?;
        let mut sent = Request::new(tokio_stream::iter([request]));
        if let Some(credential) = credential {
            let value = format!("Bearer {credential}").parse();
            sent.metadata_mut().insert("authorization", value.map_err(|_| Status::internal("a key"))?);
        }
        if self.method.is_server_streaming() {
            let mut stream = grpc.streaming(sent, path, Raw).await?.into_inner();
            stream.message().await?;
        } else {
            grpc.client_streaming(sent, path, Raw).await?;
        }
        Ok(())
    }
}

/// Puts words into every field that stands alone and takes one, all the way down.
fn fill(message: &mut DynamicMessage) -> Result<()> {
    let descriptor = message.descriptor();
    let alone = |field: &prost_reflect::FieldDescriptor| {
        !field.is_list() && !field.is_map() && field.containing_oneof().is_none()
    };
    for field in descriptor.fields().filter(alone) {
        let value = if let Kind::String = field.kind() {
            let word = WORDS.iter().find(|(name, _)| *name == field.name());
            word.map(|(_, word)| Value::String((*word).to_owned()))
        } else if let Kind::Enum(kind) = field.kind() {
            kind.values().nth(1).map(|value| Value::EnumNumber(value.number()))
        } else if let Some(kind) = field.kind().as_message().filter(|kind| kind.package_name() == "muster.v1")
        {
            let mut inner = DynamicMessage::new(kind.clone());
            fill(&mut inner)?;
            Some(Value::Message(inner))
        } else {
            None
        };
        if let Some(value) = value {
            message.try_set_field(&field, value)?;
        }
    }
    Ok(())
}

/// Puts a name where `path` says.
fn put(message: &mut DynamicMessage, path: &str, name: String) -> Result<()> {
    let Some((field, rest)) = path.split_once('.') else {
        return Ok(message.try_set_field_by_name(path, Value::String(name))?);
    };
    match message.get_field_by_name_mut(field) {
        Some(Value::Message(inner)) => put(inner, rest, name),
        Some(_) | None => bail!("{field} is no message"),
    }
}
