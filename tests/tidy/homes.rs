//! Things that have one home: subjects and streams, the environment, commits without an entry in the audit log.

use crate::fault::Faults;
use crate::rust::sources;

const TOPOLOGY: &str = "runtime/src/topology.rs";

/// Who reads the environment, each with its reason. runtime/src/config.rs does it through figment.
const READERS: [(&str, &str); 5] = [
    ("proto/build.rs", "cargo tells a build script where to write"),
    (
        "cli/src/environment.rs",
        "the one place of the command-line client, which has no configuration of a service",
    ),
    ("domain/tests/message_states.rs", "the developer asks for a new drawing"),
    ("tests/src/environment.rs", "the one place of the harness"),
    ("tests/it/servers.rs", "a test tells the helper process that it starts where to report"),
];

#[test]
fn streams_and_subjects_are_named_in_the_topology() {
    let mut faults = Faults::default();
    let services = |path: &str| !path.starts_with("tests/") && path.contains("/src/") && path != TOPOLOGY;
    for source in sources().iter().filter(|source| services(&source.file.path)) {
        for literal in source.literals.iter().filter(|literal| names_a_subject(&literal.text)) {
            let advice =
                format!("{:?} names a stream, consumer or subject; take it from {TOPOLOGY}", literal.text);
            faults.add(&source.file.path, literal.line, advice);
        }
    }
    faults.none();
}

/// Who commits for a tenant without a change in the audit log, each with its reason.
const COMMITS_WITHOUT_A_CHANGE: [(&str, &str, &str); 2] = [
    ("commit_batch(", "control-plane/src/import/bounds.rs", "the import's own entry comes at its end"),
    ("commit_entries(", "control-plane/src/audit/keeper.rs", "it writes nothing but entries"),
];

#[test]
fn a_tenants_changes_are_committed_with_their_entry() {
    let mut faults = Faults::default();
    for (call, home, reason) in COMMITS_WITHOUT_A_CHANGE {
        for source in sources().iter().filter(|source| source.file.path != home) {
            for (line, _) in source.code_lines().filter(|(_, code)| code.contains(&format!(".{call}"))) {
                let advice = format!("only {home} may call {call}: {reason}; use TenantTx::commit");
                faults.add(&source.file.path, line, advice);
            }
        }
    }
    faults.none();
}

fn names_a_subject(text: &str) -> bool {
    let stream = matches!(text, "WORK" | "EVENTS" | "STATUS" | "senders");
    let prefixed = ["_WORK", "_EVENTS", "_STATUS"].iter().any(|name| text.ends_with(name));
    let subject = [".work.", ".status."].iter().any(|part| text.contains(part)) || text.ends_with(".events");
    stream || prefixed || (subject && !text.contains(' '))
}

#[test]
fn the_environment_is_read_in_one_place() {
    let mut faults = Faults::default();
    let others = |path: &str| !READERS.iter().any(|(reader, _)| *reader == path);
    for source in sources().iter().filter(|source| others(&source.file.path)) {
        for (line, code) in source.code_lines().filter(|(_, code)| code.contains("env::var")) {
            let advice = format!("`{}`: make it a field of the service's config.rs", code.trim());
            faults.add(&source.file.path, line, advice);
        }
    }
    faults.none();
}
