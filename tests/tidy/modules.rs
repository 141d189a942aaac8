//! How modules are laid out: each says what it is, has a name that says something, and belongs to its crate.

use crate::fault::Faults;
use crate::rust::{Source, sources};
use crate::tree::{self, File};

/// Names that say nothing, so that anything ends up there.
const SAYS_NOTHING: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "shared", "types"];

#[test]
fn every_module_says_what_it_is() {
    let mut faults = Faults::default();
    for source in sources() {
        if !source.file.text.starts_with("//! ") {
            faults.add(
                &source.file.path,
                1,
                "begin with `//!`: what it is, what it promises, what it never does",
            );
        }
    }
    faults.none();
}

#[test]
fn names_say_something() {
    let mut faults = Faults::default();
    for file in tree::files() {
        if file.name() == "mod.rs" {
            faults.add(&file.path, 1, "name it after its folder: `foo.rs` beside `foo/`");
        }
        let mut words = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if let Some(word) = words.find(|word| SAYS_NOTHING.contains(word)) {
            faults.add(&file.path, 1, format!("`{word}` says nothing; name the one idea that is in it"));
        }
    }
    faults.none();
}

/// A file that no `mod` names is not compiled, and a story in it is never told.
#[test]
fn every_file_belongs_to_its_crate() {
    let mut faults = Faults::default();
    for source in sources().iter().filter(|source| !is_root(source.file)) {
        let stem = source.file.name().trim_end_matches(".rs");
        let folder = source.file.folder();
        let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let mut declared = parents.iter().filter_map(|path| find(path)).flat_map(Source::code_lines);
        if !declared.any(|(_, line)| declares(line, stem)) {
            let advice = format!("nothing compiles it; add `mod {stem};` to {}", parents.join(" or "));
            faults.add(&source.file.path, 1, advice);
        }
    }
    faults.none();
}

fn find(path: &str) -> Option<&'static Source> {
    sources().iter().find(|source| source.file.path == path)
}

fn declares(line: &str, stem: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words.as_slice(), [.., "mod", name] if *name == format!("{stem};"))
}

/// What cargo compiles without being told.
fn is_root(file: &File) -> bool {
    let folder = file.folder();
    let package_test = folder.ends_with("/tests")
        && tree::files()
            .iter()
            .any(|other| other.path == format!("{}/Cargo.toml", folder.trim_end_matches("/tests")));
    matches!(file.name(), "lib.rs" | "main.rs" | "build.rs") || folder.ends_with("/src/bin") || package_test
}

#[test]
fn every_proto_file_is_compiled() {
    let mut faults = Faults::default();
    let build = &tree::file("proto/build.rs").text;
    for file in tree::ending(".proto") {
        let name = file.path.trim_start_matches("proto/");
        if !build.contains(&format!("\"{name}\"")) {
            faults.add(&file.path, 1, "nothing compiles it; add it to FILES in proto/build.rs");
        }
    }
    faults.none();
}

/// buf then holds that every service, rpc, message, field, enum and value has a comment.
#[test]
fn buf_demands_comments() {
    let settings = &tree::file("proto/buf.yaml").text;
    for rule in ["- STANDARD", "- COMMENTS", "disallow_comment_ignores: true"] {
        assert!(settings.contains(rule), "proto/buf.yaml: put back `{rule}`");
    }
}
