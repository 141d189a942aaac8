//! Who may depend on whom. Most of what ARCHITECTURE.md states as absences is held here.

use crate::fault::Faults;
use crate::tree::{self, File};

/// What a package may not depend on outside of its tests, beyond those of ours that it does not list.
struct Layer {
    folder: &'static str,
    /// Those of ours that it may depend on.
    ours: &'static [&'static str],
    /// Others that it must do without.
    never: &'static [&'static str],
}

/// What does I/O, or reads the clock or chance.
const OUTSIDE_WORLD: &[&str] = &["tokio", "tonic", "hyper", "async-nats", "tokio-postgres", "rand", "jiff"];
const POSTGRES: &[&str] = &["tokio-postgres", "deadpool-postgres", "postgres-types", "refinery"];

const LAYERS: [Layer; 8] = [
    Layer { folder: "domain", ours: &[], never: OUTSIDE_WORLD },
    Layer { folder: "proto", ours: &[], never: POSTGRES },
    Layer { folder: "providers", ours: &["muster-domain"], never: OUTSIDE_WORLD },
    Layer { folder: "runtime", ours: &["muster-domain", "muster-proto"], never: POSTGRES },
    Layer {
        folder: "control-plane",
        ours: &["muster-domain", "muster-proto", "muster-runtime"],
        never: &["hyper"],
    },
    Layer { folder: "sender-node", ours: EDGE, never: POSTGRES },
    Layer { folder: "gateway", ours: EDGE, never: POSTGRES },
    // What a stranger has, and no more: so that whatever it does, anybody can do.
    Layer { folder: "cli", ours: &["muster-proto"], never: POSTGRES },
];

/// What talks to providers.
const EDGE: &[&str] = &["muster-domain", "muster-proto", "muster-providers", "muster-runtime"];

#[test]
fn packages_depend_downwards_only() {
    let mut faults = Faults::default();
    for layer in &LAYERS {
        let file = tree::file(&format!("{}/Cargo.toml", layer.folder));
        for (line, name) in dependencies(file) {
            if name.starts_with("muster-") && !layer.ours.contains(&name) {
                faults.add(&file.path, line, format!("{} may not depend on {name}", layer.folder));
            }
            if layer.never.contains(&name) {
                faults.add(&file.path, line, format!("{} must do without {name}", layer.folder));
            }
        }
    }
    faults.none();
}

/// One version of everything, chosen in the root's Cargo.toml.
#[test]
fn versions_are_chosen_once() {
    let mut faults = Faults::default();
    for file in tree::ending("/Cargo.toml") {
        for (line, text) in file.lines().filter(|(_, text)| text.contains("version = \"")) {
            faults.add(
                &file.path,
                line,
                format!("`{text}`: choose it in the root's [workspace.dependencies]"),
            );
        }
    }
    faults.none();
}

/// The names under `[dependencies]`, with their lines.
fn dependencies(file: &'static File) -> Vec<(usize, &'static str)> {
    let mut inside = false;
    let mut names = Vec::new();
    for (line, text) in file.lines() {
        if text.starts_with('[') {
            inside = text == "[dependencies]";
        } else if inside && let Some((name, _)) = text.split_once(['.', ' ', '=']) {
            names.push((line, name));
        }
    }
    names
}
