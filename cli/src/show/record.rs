//! One message as a record: a line a field, what is within it indented, lists of messages as tables.

use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::{table, value};

/// The record; empty where there is nothing to say.
pub(crate) fn text(message: &DynamicMessage) -> String {
    let mut text = String::new();
    write(&mut text, message, "");
    text
}

fn write(text: &mut String, message: &DynamicMessage, indent: &str) {
    let fields: Vec<FieldDescriptor> =
        message.descriptor().fields().filter(|field| says(message, field)).collect();
    let width = fields
        .iter()
        .filter(|field| is_line(message, field))
        .map(|field| label(field).len())
        .max()
        .unwrap_or(0);
    for field in fields {
        let found = message.get_field(&field);
        if is_line(message, &field) {
            let label = format!("{}:", label(&field));
            let _ = writeln!(text, "{indent}{label:<0$} {1}", width + 1, value::words(&field, &found));
            continue;
        }
        let _ = writeln!(text, "{indent}{}:", label(&field));
        let deeper = format!("{indent}  ");
        if let Some(inner) = found.as_message() {
            write(text, inner, &deeper);
        } else if let Some(rows) = found.as_list() {
            let rows: Vec<_> = rows.iter().filter_map(Value::as_message).cloned().collect();
            for line in table::of_all_fields(&rows).lines() {
                let _ = writeln!(text, "{deeper}{line}");
            }
        }
    }
}

/// Whether a field is worth a line: zero is, an empty text is not.
fn says(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    let counts = !field.is_list() && !field.is_map() && !field.supports_presence();
    message.has_field(field)
        || (counts && !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Enum(_)))
}

/// Whether a field fits a line.
fn is_line(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    let is_scalar = field.kind().as_message().is_none();
    let is_time = || message.get_field(field).as_message().is_some_and(|inner| value::time(inner).is_some());
    is_scalar || field.is_map() || is_time()
}

/// A field's name as people read it: `create_time` becomes `create time`.
pub(super) fn label(field: &FieldDescriptor) -> String {
    field.name().replace('_', " ")
}
