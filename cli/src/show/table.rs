//! Messages as a table: a line each, cut where it would be too long to read.

use comfy_table::{ContentArrangement, Table, presets};
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _};

use super::{record, value};

/// Characters of a cell at most.
const CELL_CHARS_MAX: usize = 60;

/// A table of these fields; one within another by its path, such as `settings.retention_days`. Names of resources are
/// shown as their ids.
pub(crate) fn of_messages(rows: &[DynamicMessage], columns: &[&str]) -> String {
    let head = columns.iter().map(|column| match *column {
        "name" => "ID".to_owned(),
        column => column.replace(['_', '.'], " ").to_uppercase(),
    });
    let cells = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect());
    of_cells(head.collect(), cells)
}

/// A table of all fields that any of the messages has.
pub(crate) fn of_all_fields(rows: &[DynamicMessage]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let descriptor = first.descriptor();
    let fields = descriptor.fields().filter(|field| rows.iter().any(|row| row.has_field(field)));
    let fields: Vec<_> = fields.collect();
    let head = fields.iter().map(|field| record::label(field).to_uppercase()).collect();
    let cells = rows.iter().map(|row| fields.iter().map(|field| of_field(row, field)).collect());
    of_cells(head, cells)
}

/// A table of texts.
pub(crate) fn of_cells(head: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn cell(row: &DynamicMessage, path: &str) -> String {
    let (field, rest) = path.split_once('.').map_or((path, None), |(field, rest)| (field, Some(rest)));
    let field = row.descriptor().get_field_by_name(field);
    match (field, rest) {
        (Some(field), None) => of_field(row, &field),
        (Some(field), Some(rest)) => {
            row.get_field(&field).as_message().map(|inner| cell(inner, rest)).unwrap_or_default()
        }
        (None, _) => String::new(),
    }
}

/// A field in words, short enough for a cell; empty where it is absent.
fn of_field(row: &DynamicMessage, field: &FieldDescriptor) -> String {
    if field.supports_presence() && !row.has_field(field) {
        return String::new();
    }
    let words = value::words(field, &row.get_field(field));
    let is_name = ["tenants/", "roles/"].iter().any(|begin| words.starts_with(begin)) && !field.is_list();
    if is_name { words.rsplit('/').next().unwrap_or_default().to_owned() } else { cut(&words) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((at, _)) => format!("{}\u{2026}", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
