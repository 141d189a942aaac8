//! The API's own messages as JSON, for the audit log. A field that its .proto marks with `debug_redact` is a secret, and
//! is left out wherever it stands.

use std::sync::LazyLock;

use muster_runtime::access::table::{PACKAGE, Rule};
use muster_runtime::{Error, Result};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, ReflectMessage as _, Value};

/// What comes before a message in gRPC: whether it is compressed, and its length.
const GRPC_HEAD_BYTES: usize = 5;

static POOL: LazyLock<Result<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(muster_proto::PUBLIC_DESCRIPTORS).map_err(Error::internal));

fn reflect<M: Message + Name>(message: &M) -> Result<DynamicMessage> {
    let pool = POOL.as_ref().map_err(Clone::clone)?;
    let name = M::full_name();
    let descriptor = pool.get_message_by_name(&name);
    let mut dynamic =
        DynamicMessage::new(descriptor.ok_or_else(|| Error::internal(format!("{name} has no descriptor")))?);
    dynamic.transcode_from(message).map_err(Error::internal)?;
    Ok(dynamic)
}

/// `message` as JSON, without its secrets.
pub(super) fn json<M: Message + Name>(message: &M) -> Result<String> {
    let mut dynamic = reflect(message)?;
    redact(&mut dynamic);
    serde_json::to_string(&dynamic).map_err(Error::internal)
}

/// The text at `path` in `message`, such as `campaign.name`; empty where there is none.
pub(super) fn text_at<M: Message + Name>(message: &M, path: &str) -> Result<String> {
    Ok(text(reflect(message)?, path).unwrap_or_default())
}

/// The text at `path` in the first message of a request that begins so, as gRPC writes it; none where the message is not
/// all there, or is compressed.
pub(super) fn text_in(rule: &Rule, path: &str, beginning: &[u8]) -> Option<String> {
    let (head, rest) = beginning.split_first_chunk::<GRPC_HEAD_BYTES>()?;
    let [0, length @ ..] = *head else { return None };
    let message = rest.get(..usize::try_from(u32::from_be_bytes(length)).ok()?)?;
    let service = POOL.as_ref().ok()?.get_service_by_name(&format!("{PACKAGE}.{}", rule.service))?;
    let method = service.methods().find(|method| method.name() == rule.method)?;
    text(DynamicMessage::decode(method.input(), message).ok()?, path)
}

/// The text at `path`, which a message need not have.
fn text(message: DynamicMessage, path: &str) -> Option<String> {
    let mut at = Value::Message(message);
    for field in path.split('.') {
        at = at.as_message()?.get_field_by_name(field)?.into_owned();
    }
    at.as_str().map(str::to_owned)
}

fn redact(message: &mut DynamicMessage) {
    let secrets: Vec<FieldDescriptor> = message.descriptor().fields().filter(is_secret).collect();
    for field in &secrets {
        message.clear_field(field);
    }
    for (_, value) in message.fields_mut() {
        redact_within(value);
    }
}

fn redact_within(value: &mut Value) {
    if let Some(message) = value.as_message_mut() {
        redact(message);
    } else if let Some(list) = value.as_list_mut() {
        list.iter_mut().for_each(redact_within);
    } else if let Some(map) = value.as_map_mut() {
        map.values_mut().for_each(redact_within);
    }
}

/// Whether a field's .proto marks it as a secret.
fn is_secret(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{
        ApiKey, CreateApiKeyResponse, ProviderAccount, RotateApiKeyRequest, UpdateProviderAccountRequest,
    };
    use muster_runtime::access::table;

    use super::*;

    #[test]
    fn a_message_is_told_without_its_secrets() {
        let key = ApiKey { name: "tenants/1/apiKeys/2".to_owned(), ..ApiKey::default() };
        let answer = CreateApiKeyResponse { api_key: Some(key), secret: "canary".to_owned() };
        assert_eq!(json(&answer).expect("JSON"), r#"{"apiKey":{"name":"tenants/1/apiKeys/2"}}"#);
        assert_eq!(text_at(&answer, "api_key.name").expect("a text"), "tenants/1/apiKeys/2");
        assert_eq!(text_at(&answer, "api_key.name.first").expect("no text"), "");
        let account = ProviderAccount {
            display_name: "Main".to_owned(),
            api_secret: "canary".to_owned(),
            webhook_key: "canary".to_owned(),
            second_webhook_key: "canary".to_owned(),
            inbound_webhook_url: "canary".to_owned(),
            ..ProviderAccount::default()
        };
        let request = UpdateProviderAccountRequest { provider_account: Some(account), ..Default::default() };
        assert_eq!(json(&request).expect("JSON"), r#"{"providerAccount":{"displayName":"Main"}}"#);
    }

    #[test]
    fn the_resource_of_a_request_that_nobody_has_seen_is_read_off_its_bytes() {
        let rule = table::rule("/muster.v1.ApiKeyService/RotateApiKey").expect("a rule");
        let request = RotateApiKeyRequest { name: "tenants/1/apiKeys/2".to_owned(), overlap_seconds: 5 };
        let message = request.encode_to_vec();
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        let bytes = [&[0][..], &length, &message, b"more"].concat();
        assert_eq!(text_in(rule, "name", &bytes).as_deref(), Some("tenants/1/apiKeys/2"));
        for cut in 0..bytes.len() - 4 {
            assert_eq!(text_in(rule, "name", &bytes[..cut]), None, "{cut} bytes");
        }
        let compressed = [&[1][..], &bytes[1..]].concat();
        assert_eq!(text_in(rule, "name", &compressed), None);
    }

    #[test]
    fn what_is_called_a_secret_is_marked_as_one() {
        let pool = POOL.as_ref().expect("descriptors");
        let ours = pool.all_messages().filter(|message| message.package_name() == "muster.v1");
        let mut marked = 0;
        for field in ours.flat_map(|message| message.fields().collect::<Vec<_>>()) {
            let place = ["page_token", "resume_token"].iter().any(|token| field.name().ends_with(token));
            let secret = ["secret", "token", "webhook_key", "webhook_url"]
                .iter()
                .any(|word| field.name().ends_with(word));
            if secret && !place {
                assert!(
                    is_secret(&field),
                    "mark {} with debug_redact, or name it otherwise",
                    field.full_name()
                );
                marked += 1;
            }
        }
        assert!(marked >= 8, "only {marked} secrets were found");
    }
}
