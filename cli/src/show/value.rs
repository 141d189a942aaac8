//! One value of a message in words, on one line.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _, Value};

use crate::api;

/// A field's value in words; empty where it says nothing, and for messages, which have no line of their own.
pub(crate) fn words(field: &FieldDescriptor, value: &Value) -> String {
    if let Some(items) = value.as_list() {
        let words = items.iter().map(|item| one(field, item)).filter(|item| !item.is_empty());
        return words.collect::<Vec<_>>().join(", ");
    }
    let Some(entries) = value.as_map() else { return one(field, value) };
    let value_field = field.kind().as_message().map(|entry| entry.map_entry_value_field());
    let pair = |(key, value): (&MapKey, &Value)| {
        let value = value_field.as_ref().map(|field| one(field, value)).unwrap_or_default();
        format!("{}={value}", safe(key.as_str().unwrap_or_default()))
    };
    let mut pairs: Vec<_> = entries.iter().map(pair).collect();
    pairs.sort();
    pairs.join(", ")
}

fn one(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::String(text) => safe(text),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::EnumNumber(0) => String::new(),
        Value::EnumNumber(number) => chosen(field, *number).unwrap_or_else(|| number.to_string()),
        Value::Message(message) => time(message).unwrap_or_default(),
        Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// What an enum's number stands for; nothing for one of a later version than ours.
fn chosen(field: &FieldDescriptor, number: i32) -> Option<String> {
    let kind = field.kind();
    let of = kind.as_enum()?;
    Some(api::plain_value(of, of.get_value(number)?.name()))
}

/// A google.protobuf.Timestamp by the clock of whoever looks.
pub(crate) fn time(message: &DynamicMessage) -> Option<String> {
    if message.descriptor().full_name() != "google.protobuf.Timestamp" {
        return None;
    }
    let timestamp: prost_types::Timestamp = message.transcode_to().ok()?;
    Some(local(&timestamp))
}

/// A time by the clock of whoever looks, to the second.
pub(crate) fn local(time: &prost_types::Timestamp) -> String {
    let time = Timestamp::new(time.seconds, time.nanos).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Text from strangers, without what would steer the terminal.
pub(crate) fn safe(text: &str) -> String {
    let printable = |c: char| match c {
        '\n' => '\u{21b5}',
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_cannot_steer_the_terminal() {
        assert_eq!(safe("ok\n\u{1b}[2Jbye\r\u{9b}1m"), "ok\u{21b5}\u{fffd}[2Jbye\u{fffd}\u{fffd}1m");
        assert_eq!(safe("S\u{ed}, gracias \u{1f600}"), "S\u{ed}, gracias \u{1f600}");
    }
}
