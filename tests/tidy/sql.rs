//! SQL has one home: the `.sql` files of the control-plane's store, and its migrations.

use crate::fault::Faults;
use crate::rust::{Source, sources};
use crate::tree;

const STORE: &str = "control-plane/src/store/";
const MIGRATIONS: &str = "control-plane/migrations/";

/// Statements that two functions use, each with its reason. All others are used by one.
const USED_TWICE: [(&str, &str); 2] = [
    (
        "control-plane/src/store/accounts/account_get.sql",
        "the same row for its tenant and for our own processes",
    ),
    (
        "control-plane/src/store/contacts/contacts_list.sql",
        "the same page for the tenant and for the planner",
    ),
];

/// Rust files with a statement in them, each with its reason.
const STATEMENTS_IN_RUST: [(&str, &str); 1] = [(
    "control-plane/src/db.rs",
    "names the tenant to row-level security and locks migrations: no table is touched",
)];

#[test]
fn sql_is_in_the_store_and_in_migrations() {
    let mut faults = Faults::default();
    for file in tree::ending(".sql") {
        let folder = file.path.strip_prefix(STORE).and_then(|rest| rest.split_once('/'));
        if folder.is_none() && !file.path.starts_with(MIGRATIONS) {
            faults.add(&file.path, 1, format!("move it to {STORE}<noun>/ or {MIGRATIONS}"));
        }
    }
    for source in sources().iter().filter(|source| is_of_a_service(source)) {
        for literal in source.literals.iter().filter(|literal| is_statement(&literal.text)) {
            faults.add(&source.file.path, literal.line, "a statement; make it a .sql file of the store");
        }
    }
    faults.none();
}

/// The harness speaks SQL to judge the services from outside.
fn is_of_a_service(source: &Source) -> bool {
    let path = source.file.path.as_str();
    !path.starts_with("tests/") && !STATEMENTS_IN_RUST.iter().any(|(excused, _)| *excused == path)
}

fn is_statement(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.iter().enumerate().any(|(at, word)| match *word {
        "SELECT" | "TRUNCATE" => true,
        "INSERT" => words.get(at + 1) == Some(&"INTO"),
        "DELETE" => words.get(at + 1) == Some(&"FROM"),
        "UPDATE" => words.iter().skip(at + 2).take(3).any(|next| *next == "SET"),
        "CREATE" | "ALTER" | "DROP" => matches!(words.get(at + 1), Some(&("TABLE" | "INDEX" | "ROLE"))),
        _ => false,
    })
}

#[test]
fn every_statement_is_used_by_one_function() {
    let mut faults = Faults::default();
    let mut uses: Vec<String> = Vec::new();
    for source in sources() {
        for literal in source.literals.iter().filter(|literal| literal.text.ends_with(".sql")) {
            let path = format!("{}/{}", source.file.folder(), literal.text);
            let noun = source.file.name().trim_end_matches(".rs");
            let ours = source.file.path.starts_with(STORE);
            if ours && !literal.text.starts_with(&format!("{noun}/")) {
                let advice =
                    format!("{} is of another noun; move the function or the statement", literal.text);
                faults.add(&source.file.path, literal.line, advice);
            }
            uses.push(path);
        }
    }
    for file in tree::ending(".sql").filter(|file| file.path.starts_with(STORE)) {
        let count = uses.iter().filter(|used| **used == file.path).count();
        let wanted = if USED_TWICE.iter().any(|(path, _)| *path == file.path) { 2 } else { 1 };
        if count != wanted {
            let advice =
                format!("used {count} times instead of {wanted}; delete it, or let one function use it");
            faults.add(&file.path, 1, advice);
        }
    }
    faults.none();
}

/// refinery applies them in the order of their numbers, and a number that is there twice not at all.
#[test]
fn migrations_are_numbered_without_gaps() {
    let mut faults = Faults::default();
    for (at, file) in tree::ending(".sql").filter(|file| file.path.starts_with(MIGRATIONS)).enumerate() {
        let number = format!("V{:03}__", at + 1);
        if !file.name().starts_with(&number) {
            faults.add(&file.path, 1, format!("its name must begin with {number}"));
        }
    }
    faults.none();
}
