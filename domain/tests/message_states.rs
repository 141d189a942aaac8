//! Draws `docs/message-states.md` from the code, so that the page and the code never disagree.
//!
//! The words for statuses and events are their doc comments in `status.rs`; where they lead is asked of
//! `apply`, for every status and every event.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::{ATTEMPTS_MAX, Decision, Event, Fact, State, Status, apply};

const SOURCE: &str = include_str!("../src/status.rs");

const INTRODUCTION: &str = "\
# The life of a message

This page is drawn from `domain/src/status.rs` by a test. To draw it again after a change:
`MUSTER_BLESS=1 cargo test -p muster-domain --test message_states`.

A message moves from status to status by one pure function, `apply`. It is total: every event is allowed in
every status, and most change nothing. It is idempotent: an event twice is an event once. And it is deaf to the
order of facts: outcomes and receipts may overtake one another and repeat, and the message still ends in the
same status.

*Decisions* are Muster's own, and move a message forward only from the statuses named here. *Facts* are what
happened outside, and are never refused for being late. They climb a ladder of evidence: a fact moves a message
only to a status that tells more than the one it is in. Absence of evidence never permits a second send; only
`NotAccepted` opens another attempt, and no path leads from `CLAIMED` back to `CLAIMED` within one attempt.
";

const PICTURE: &str = "\
## The picture

Facts are drawn where a call has been made. The tables further down have the rest.
";

#[test]
#[expect(clippy::disallowed_methods, reason = "the developer asks for a new drawing by it")]
fn the_page_is_drawn_from_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/message-states.md");
    let drawn = page();
    if std::env::var_os("MUSTER_BLESS").is_some() {
        std::fs::write(&path, &drawn).expect("docs/message-states.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == drawn,
        "docs/message-states.md no longer shows what domain/src/status.rs does. Draw it again with\n    \
         MUSTER_BLESS=1 cargo test -p muster-domain --test message_states\nand read the difference: it is \
         what your change means for a message."
    );
}

/// The lists here and the enums of the source have the same members, so nothing is left out of the page.
#[test]
fn the_page_leaves_nothing_out() {
    let names = |docs: Vec<(String, String)>| docs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(documented("Status")), Status::ALL.map(|status| format!("{status:?}")));
    assert_eq!(names(documented("Decision")), Decision::ALL.map(|decision| format!("{decision:?}")));
    assert_eq!(names(documented("Fact")), facts().iter().map(fact_name).collect::<Vec<_>>());
}

fn page() -> String {
    let decisions = Decision::ALL.map(|decision| (format!("{decision:?}"), Event::Decision(decision)));
    let columns = |attempt: u16| -> Vec<(String, Event)> {
        facts().into_iter().map(|fact| (fact_name(&fact), Event::Fact(attempt, fact))).collect()
    };
    [
        INTRODUCTION.to_owned(),
        PICTURE.to_owned() + "\n" + &diagram(),
        "## Statuses\n\n".to_owned() + &status_meanings(),
        "## Decisions\n\n".to_owned() + &meanings("decision", "Decision"),
        "Where each leads from each status. A dot: it changes nothing.\n\n".to_owned() + &table(&decisions),
        "## Facts\n\n".to_owned() + &meanings("fact", "Fact"),
        format!("Of the attempt that is open ({ATTEMPTS_MAX} attempts are made at most):\n\n")
            + &table(&columns(1)),
        "Of an earlier attempt. Only evidence of acceptance still counts, and it ends the later attempt too:\n\n"
            .to_owned()
            + &table(&columns(0)),
    ]
    .join("\n")
}

/// One fact of each kind.
fn facts() -> Vec<Fact> {
    let error = || SendError { class: ErrorClass::Unknown, code: String::new() };
    vec![
        Fact::Accepted,
        Fact::Refused(error()),
        Fact::NotAccepted(error()),
        Fact::Ambiguous(error()),
        Fact::ReceiptSent,
        Fact::ReceiptDelivered,
        Fact::ReceiptUndelivered(error()),
    ]
}

fn fact_name(fact: &Fact) -> String {
    let shown = format!("{fact:?}");
    shown.split('(').next().unwrap_or_default().to_owned()
}

/// The statuses that `event` leads to, from `status` in the first attempt and in the last one. A fact tells of
/// attempts counted from there: 1 is the attempt that the message is in, 0 the one before.
fn leads_to(status: Status, event: &Event) -> (Status, Status) {
    let from = |attempt: u16| {
        let event = match event {
            Event::Decision(_) => event.clone(),
            Event::Fact(number, fact) => Event::Fact(attempt + number - 1, fact.clone()),
        };
        apply(&State { status, attempt, error: None }, &event).status
    };
    (from(2), from(ATTEMPTS_MAX))
}

fn table(columns: &[(String, Event)]) -> String {
    let heads: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut table = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for status in Status::ALL {
        write!(table, "| **{}** |", status.name()).expect("a string takes all");
        for (_, event) in columns {
            let cell = match leads_to(status, event) {
                (next, last) if next != last => {
                    format!("{}; in the last attempt {}", next.name(), last.name())
                }
                (next, _) if next == status => "·".to_owned(),
                (next, _) => next.name().to_owned(),
            };
            write!(table, " {cell} |").expect("a string takes all");
        }
        table.push('\n');
    }
    table
}

fn diagram() -> String {
    let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned()];
    lines.push(format!("    [*] --> {}", State::CREATED.status.name()));
    for from in Status::ALL {
        let mut is_end = true;
        for to in Status::ALL.into_iter().filter(|to| *to != from) {
            let labels = labels(from, to);
            if !labels.is_empty() {
                lines.push(format!("    {} --> {}: {}", from.name(), to.name(), labels.join(", ")));
                is_end = false;
            }
        }
        if is_end {
            lines.push(format!("    {} --> [*]", from.name()));
        }
    }
    lines.push("```\n".to_owned());
    lines.join("\n")
}

/// What moves a message from one status to the other, as the picture names it.
fn labels(from: Status, to: Status) -> Vec<String> {
    let mut labels = Vec::new();
    for decision in Decision::ALL {
        if leads_to(from, &Event::Decision(decision)).0 == to {
            labels.push(format!("{decision:?}"));
        }
    }
    if !after_a_call().contains(&from) {
        return labels;
    }
    for fact in facts() {
        let name = fact_name(&fact);
        let (next, last) = leads_to(from, &Event::Fact(1, fact));
        if next == to {
            labels.push(name);
        } else if last == to {
            labels.push(format!("{name} in the last attempt"));
        }
    }
    labels
}

/// The statuses that a claim leads to before another attempt begins.
fn after_a_call() -> BTreeSet<Status> {
    let reap = Event::Decision(Decision::Reap);
    let events: Vec<_> = facts().into_iter().map(|fact| Event::Fact(1, fact)).chain([reap]).collect();
    let mut reached = BTreeSet::from([Status::Claimed]);
    let mut open = vec![Status::Claimed];
    while let Some(status) = open.pop() {
        for next in events.iter().map(|event| leads_to(status, event).0) {
            if next != Status::Queued && reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

fn status_meanings() -> String {
    let mut table = "| number | status | meaning |\n|---|---|---|\n".to_owned();
    for (status, (_, meaning)) in Status::ALL.into_iter().zip(documented("Status")) {
        writeln!(table, "| {} | **{}** | {meaning} |", status.code(), status.name())
            .expect("a string takes all");
    }
    table
}

fn meanings(kind: &str, name: &str) -> String {
    let mut table = format!("| {kind} | meaning |\n|---|---|\n");
    for (variant, meaning) in documented(name) {
        writeln!(table, "| `{variant}` | {meaning} |").expect("a string takes all");
    }
    table
}

/// The variants of an enum of the source, each with its doc comment.
fn documented(name: &str) -> Vec<(String, String)> {
    let start = format!("pub enum {name} {{");
    let body =
        SOURCE.split_once(&start).and_then(|(_, rest)| rest.split_once("\n}")).expect("the enum is there").0;
    let mut variants = Vec::new();
    let mut doc = Vec::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(words) = line.strip_prefix("/// ") {
            doc.push(words);
        } else {
            let variant = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            variants.push((variant.to_owned(), doc.join(" ")));
            doc.clear();
        }
    }
    variants
}
