//! An event on one line: when, what, and its fields.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use crate::show::value;

/// Fields that the line begins with, or that say nothing beside the others.
const SAID: [&str; 4] = ["time", "receive_time", "read_time", "name"];

/// The line.
pub(super) fn words(event: &DynamicMessage) -> String {
    let descriptor = event.descriptor();
    let mut kinds = descriptor.fields().filter(|field| field.containing_oneof().is_some());
    let Some(field) = kinds.find(|field| event.has_field(field)) else { return String::new() };
    let found = event.get_field(&field);
    let Some(inner) = found.as_message() else { return String::new() };
    let mut words = vec![time(inner), field.name().replace('_', "-")];
    for field in
        inner.descriptor().fields().filter(|field| inner.has_field(field) && !SAID.contains(&field.name()))
    {
        let found = inner.get_field(&field);
        let said = match (found.as_str(), found.as_list()) {
            (Some(name), _) if name.starts_with("tenants/") => short(name),
            (_, Some(items)) if items.iter().any(|item| item.as_message().is_some()) => counts(items),
            (_, _) => value::words(&field, &found),
        };
        if !said.is_empty() {
            words.push(format!("{}={}", field.name(), quoted(&said)));
        }
    }
    words.join(" ")
}

fn time(inner: &DynamicMessage) -> String {
    let times = SAID.iter().filter_map(|field| inner.get_field_by_name(field));
    times.filter_map(|time| time.as_message().and_then(value::time)).next().unwrap_or_default()
}

/// A resource's name by its last segment.
fn short(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// Counts by status, such as `queued:3,sent:4`.
fn counts(items: &[Value]) -> String {
    let words = items.iter().filter_map(Value::as_message).map(|item| {
        let descriptor = item.descriptor();
        let fields = descriptor.fields().filter(|field| item.has_field(field));
        fields.map(|field| value::words(&field, &item.get_field(&field))).collect::<Vec<_>>().join(":")
    });
    words.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    if text.contains([' ', '"']) { format!("\"{}\"", text.replace('"', "\\\"")) } else { text.to_owned() }
}
