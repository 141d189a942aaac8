//! Every setting of every service is on docs/configuration.md, with its variable and its default; and nothing else.

use std::collections::BTreeSet;

use crate::fault::Faults;
use crate::tree::{self, File};

const PAGE: &str = "docs/configuration.md";

/// Where each service's settings are, the struct they begin with, and the section of the page that has them.
const ROOTS: [(&str, &str, &str); 5] = [
    ("control-plane/src/config.rs", "Config", "## Control-plane"),
    ("control-plane/src/config.rs", "Migrate", "## Migration"),
    ("control-plane/src/config.rs", "Rewrap", "## Key-encryption keys"),
    ("sender-node/src/config.rs", "Config", "## Sender node"),
    ("gateway/src/config.rs", "Config", "## Gateway"),
];

/// Structs that several services have.
const SHARED: [&str; 3] = ["runtime/src/config.rs", "runtime/src/directory.rs", "runtime/src/tls.rs"];

/// A setting: its name with dots, and its default where a function of its file gives one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    name: String,
    default: Option<String>,
}

impl Setting {
    fn variable(&self) -> String {
        format!("MUSTER_{}", self.name.to_uppercase().replace('.', "__"))
    }
}

#[test]
fn every_setting_is_explained() {
    let mut faults = Faults::default();
    let page = tree::file(PAGE);
    for (path, root, section) in ROOTS {
        let settings = settings(path, root, "");
        assert!(!settings.is_empty(), "{path} has no settings in {root}");
        let rows = rows(page, section);
        let line = page.lines().find(|(_, text)| *text == section).map_or(1, |(line, _)| line);
        for setting in &settings {
            let wanted = format!("| `{}` | `{}` |", setting.name, setting.variable());
            let row = rows.iter().find(|row| row.starts_with(&wanted));
            let default = setting.default.as_ref().map(|default| format!("{wanted} `{default}` |"));
            if row.is_none() {
                faults.add(PAGE, line, format!("under `{section}` there is no row `{wanted}` ({path})"));
            } else if let Some(default) = default
                && row.is_some_and(|row| !row.starts_with(&default))
            {
                faults.add(PAGE, line, format!("under `{section}` the row must begin `{default}` ({path})"));
            }
        }
        let known: BTreeSet<String> = settings.iter().map(Setting::variable).collect();
        for row in rows {
            let variable = row.split('`').find(|part| part.starts_with("MUSTER_")).unwrap_or_default();
            if !known.contains(variable) {
                faults.add(
                    PAGE,
                    line,
                    format!("under `{section}`, {path} has no setting for this row: {row}"),
                );
            }
        }
    }
    faults.none();
}

/// The rows of the table in a section, the head apart.
fn rows(page: &'static File, section: &str) -> Vec<&'static str> {
    let after = page.lines().map(|(_, text)| text).skip_while(|text| *text != section).skip(1);
    after.take_while(|text| !text.starts_with("## ")).filter(|text| text.starts_with("| `")).collect()
}

/// The settings in the struct `name` of `path`, and in those it holds.
fn settings(path: &str, name: &str, prefix: &str) -> Vec<Setting> {
    let files = [path].into_iter().chain(SHARED).map(tree::file);
    let Some((file, body)) = files.into_iter().find_map(|file| Some((file, fields(file, name)?))) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut default = None;
    for line in body.lines().map(str::trim) {
        if let Some(function) =
            line.strip_prefix("#[serde(default = \"").and_then(|rest| rest.split('"').next())
        {
            default = default_of(file, function);
        }
        let Some((field, kind)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": ")) else {
            continue;
        };
        let name = format!("{prefix}{field}");
        let kind = kind.trim_end_matches(',');
        let kind = kind.strip_prefix("Option<").map_or(kind, |kind| kind.trim_end_matches('>'));
        let inner = settings(path, kind, &format!("{name}."));
        if inner.is_empty() {
            found.push(Setting { name, default: default.take() });
        }
        found.extend(inner);
    }
    found
}

fn fields(file: &'static File, name: &str) -> Option<&'static str> {
    let (_, rest) = file.text.split_once(&format!("pub struct {name} {{\n"))?;
    Some(rest.split_once("\n}")?.0)
}

/// What a function such as `fn threads() -> usize { 1 }` gives, as people write it.
fn default_of(file: &File, function: &str) -> Option<String> {
    let (_, rest) = file.text.split_once(&format!("fn {function}() -> "))?;
    let body = rest.split_once("{\n")?.1.split_once("\n}")?.0.trim();
    Some(body.trim_end_matches(".to_owned()").trim_matches('"').replace('_', ""))
}
