//! What must not be left lying in any file.

use crate::fault::Faults;
use crate::rust::sources;
use crate::tree;

/// Traces of one machine, of one registry, or of how a file came about. Each is written in two parts, so that this
/// file does not hold it.
const TRACES: [[&str; 2]; 14] = [
    ["/wo", "rk/"],
    ["../sha", "red"],
    ["/ho", "me/"],
    ["/ro", "ot/"],
    ["/Us", "ers/"],
    ["pypi.", "org"],
    ["files.python", "hosted"],
    ["index.crates", ".io"],
    ["registry.npm", "js"],
    ["Cla", "ude"],
    ["Chat", "GPT"],
    ["Cop", "ilot"],
    ["AI ass", "istant"],
    ["language mo", "del"],
];

/// Macros that must not stay.
const LEFTOVERS: [&str; 3] = ["todo!", "dbg!", "unimplemented!"];

#[test]
fn no_trace_of_a_machine_or_a_maker() {
    let mut faults = Faults::default();
    for file in tree::files().iter().filter(|file| file.name() != "Cargo.lock") {
        for (line, text) in file.lines() {
            for trace in TRACES.iter().map(|parts| parts.concat()).filter(|trace| holds(text, trace)) {
                faults.add(
                    &file.path,
                    line,
                    format!("`{trace}` means nothing to a stranger; say it without"),
                );
            }
        }
    }
    faults.none();
}

/// Whether `text` holds the trace; one that begins with a slash only where a path begins there.
fn holds(text: &str, trace: &str) -> bool {
    text.match_indices(trace).any(|(at, _)| {
        let within = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*' | '}');
        !trace.starts_with('/') || !text.get(..at).is_some_and(|before| before.ends_with(within))
    })
}

#[test]
fn nothing_is_left_undone() {
    let mut faults = Faults::default();
    for source in sources() {
        for (line, code) in source.code_lines() {
            for name in LEFTOVERS.iter().filter(|name| code.contains(**name)) {
                faults.add(&source.file.path, line, format!("`{name}` must not stay"));
            }
            if code.contains("#[allow(") || code.contains("#![allow(") {
                faults.add(
                    &source.file.path,
                    line,
                    "use `#[expect(.., reason = \"..\")]`, which goes when it can",
                );
            }
        }
        for comment in &source.comments {
            for (at, text) in comment.text.lines().enumerate() {
                if let Some(advice) = undone(text) {
                    faults.add(&source.file.path, comment.line + at, advice);
                }
            }
        }
    }
    for file in tree::ending(".sql").chain(tree::ending(".proto")) {
        for (line, text) in file.lines() {
            if let Some(advice) = undone(text) {
                faults.add(&file.path, line, advice);
            }
        }
    }
    faults.none();
}

/// What is wrong with a comment that speaks of work to be done.
fn undone(text: &str) -> Option<&'static str> {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    if words.any(|word| matches!(word, "FIXME" | "XXX" | "HACK")) {
        return Some("do it, or write an issue and name it: `TODO(#12): ..`");
    }
    let at = text.find("TODO")?;
    (!text.get(at..)?.starts_with("TODO(#")).then_some("name the issue: `TODO(#12): ..`")
}

#[test]
fn lines_end_cleanly() {
    let mut faults = Faults::default();
    let of_the_wire = |path: &str| path.contains("/fixtures/");
    for file in tree::files().iter().filter(|file| !of_the_wire(&file.path)) {
        for (line, text) in file.lines().filter(|(_, text)| text.ends_with([' ', '\t', '\r'])) {
            let _ = text;
            faults.add(&file.path, line, "blanks at the end of the line");
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            faults.add(&file.path, file.text.lines().count(), "no line end at the end of the file");
        }
    }
    faults.none();
}
