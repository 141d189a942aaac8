//! What the public API consists of, by its descriptors: which rpc takes which request, and what the protos say of it.
//!
//! Commands make typed requests. Which rpc a request belongs to, and how its answer reads, follows from the descriptors,
//! so that no command says it again.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, MethodDescriptor,
    ReflectMessage as _,
};

use crate::failure::{Failure, Result};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(muster_proto::PUBLIC_DESCRIPTORS).expect("the build wrote these descriptors")
});

/// Every rpc of the public API.
pub(crate) fn rpcs() -> impl Iterator<Item = MethodDescriptor> {
    let services: Vec<_> = POOL.services().filter(|service| service.package_name() == "muster.v1").collect();
    services.into_iter().flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// The one rpc that takes an `R`.
pub(crate) fn rpc<R: Name>() -> MethodDescriptor {
    let request = R::full_name();
    rpcs().find(|rpc| rpc.input().full_name() == request).expect("every request belongs to one rpc")
}

/// An rpc as people write it, such as `CampaignService.StartCampaign`.
pub(crate) fn spelled(rpc: &MethodDescriptor) -> String {
    format!("{}.{}", rpc.parent_service().name(), rpc.name())
}

/// What the proto says of an rpc.
pub(crate) fn comment(rpc: &MethodDescriptor) -> String {
    comment_at(&rpc.parent_file(), rpc.path())
}

/// A message with its descriptor.
///
/// # Errors
/// Where it does not fit its own descriptor: a fault of the build.
pub(crate) fn reflect<M: Message + Name>(message: &M) -> Result<DynamicMessage> {
    let descriptor = POOL.get_message_by_name(&M::full_name()).expect("every message has a descriptor");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).map_err(|error| Failure::because("a message cannot be read", error))?;
    Ok(dynamic)
}

/// A message as the type that it is.
///
/// # Errors
/// Where it is another: a fault of ours.
pub(crate) fn typed<M: Message + Name + Default>(message: &DynamicMessage) -> Result<M> {
    message.transcode_to().map_err(|error| Failure::because(&format!("{} was expected", M::NAME), error))
}

/// The values that people can choose from in an enum of the API: each with its number and what the proto says of it.
pub(crate) fn choices(name: &str) -> Vec<(String, i32, String)> {
    let of = POOL.get_enum_by_name(&format!("muster.v1.{name}")).expect("the enum is in the API");
    let chosen = of.values().filter(|value| value.number() != 0);
    let named = chosen.map(|value| {
        let text = comment_at(&of.parent_file(), value.path());
        (plain_value(&of, value.name()), value.number(), text)
    });
    named.collect()
}

/// An enum's value as people write it: `TOLL_FREE` of `NUMBER_TYPE_TOLL_FREE` becomes `toll-free`.
pub(crate) fn plain_value(of: &EnumDescriptor, value: &str) -> String {
    let zero = of.get_value(0).map(|zero| zero.name().to_owned()).unwrap_or_default();
    let prefix = zero.trim_end_matches("UNSPECIFIED");
    value.strip_prefix(prefix).unwrap_or(value).to_lowercase().replace('_', "-")
}

/// The fields of a message, by name.
pub(crate) fn fields<M: Name>() -> Vec<String> {
    let message = POOL.get_message_by_name(&M::full_name()).expect("every message has a descriptor");
    message.fields().map(|field| field.name().to_owned()).collect()
}

/// Whether the proto marks a field as a secret.
pub(crate) fn is_secret(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let redact = options.get_field_by_name("debug_redact");
    redact.is_some_and(|redact| redact.as_bool() == Some(true))
}

fn comment_at(file: &FileDescriptor, path: &[i32]) -> String {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let comment =
        locations.filter(|place| place.path == path).find_map(|place| place.leading_comments.clone());
    let comment = comment.unwrap_or_default();
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A field of a message by its path, such as `campaign.name`; nothing where there is none.
pub(crate) fn text_at(message: &DynamicMessage, field: &str) -> Option<String> {
    let value = message.get_field_by_name(field)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The one list in the answer of a List rpc.
pub(crate) fn list_field(answer: &DynamicMessage) -> Option<FieldDescriptor> {
    answer.descriptor().fields().find(FieldDescriptor::is_list)
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::StartCampaignRequest;

    use super::*;

    #[test]
    fn a_request_belongs_to_one_rpc() {
        let mut requests: Vec<_> = rpcs().map(|rpc| rpc.input().full_name().to_owned()).collect();
        let rpcs = requests.len();
        requests.sort();
        requests.dedup();
        assert_eq!(requests.len(), rpcs);
        let start = rpc::<StartCampaignRequest>();
        assert_eq!(spelled(&start), "CampaignService.StartCampaign");
        assert!(comment(&start).starts_with("Starts a draft: "), "{}", comment(&start));
    }

    #[test]
    fn enums_read_as_words() {
        let types: Vec<_> =
            choices("NumberType").into_iter().map(|(name, number, _)| (name, number)).collect();
        assert_eq!(types, [("local".to_owned(), 1), ("toll-free".to_owned(), 2)]);
        assert!(choices("CampaignMode").iter().all(|(_, _, comment)| !comment.is_empty()));
    }
}
