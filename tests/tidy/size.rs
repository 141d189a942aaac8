//! Files and functions that fit a head and a screen.

use std::cmp::Ordering;

use crate::fault::Faults;
use crate::rust::{Source, sources};

/// Lines of a Rust file at most. What grows beyond it has a second idea in it.
const FILE_LINES_MAX: usize = 400;
/// Files that may be longer, each with its reason.
const LONGER_FILES: [(&str, &str); 0] = [];
/// Lines of a function at most.
const FUNCTION_LINES_MAX: usize = 70;
/// Functions that are longer. The number may only go down.
const LONGER_FUNCTIONS: usize = 0;

#[test]
fn files_hold_one_idea() {
    let mut faults = Faults::default();
    for source in sources() {
        let lines = source.file.text.lines().count();
        let excused = LONGER_FILES.iter().any(|(path, _)| *path == source.file.path);
        if lines > FILE_LINES_MAX && !excused {
            let advice =
                format!("{lines} lines, of {FILE_LINES_MAX} at most; ask which second idea moved in");
            faults.add(&source.file.path, lines, advice);
        }
        if lines <= FILE_LINES_MAX && excused {
            faults.add(
                &source.file.path,
                lines,
                "short enough now; take it off LONGER_FILES in tests/tidy/size.rs",
            );
        }
    }
    faults.none();
}

#[test]
fn functions_fit_a_screen() {
    let mut faults = Faults::default();
    let mut longer = 0;
    for source in sources() {
        for (line, lines) in functions(source).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
            longer += 1;
            faults.add(
                &source.file.path,
                line,
                format!("a function of {lines} lines; take out what is pure"),
            );
        }
    }
    match longer.cmp(&LONGER_FUNCTIONS) {
        Ordering::Greater => faults.none(),
        Ordering::Equal => {}
        Ordering::Less => panic!(
            "tests/tidy/size.rs: only {longer} functions are longer than {FUNCTION_LINES_MAX} lines now; lower \
             LONGER_FUNCTIONS, so that it stays so"
        ),
    }
}

/// The line that each function begins on, and how many it has.
fn functions(source: &Source) -> Vec<(usize, usize)> {
    let code = source.code.as_str();
    let begins = code.match_indices("fn ").map(|(at, _)| at).filter(|at| {
        let before = code.get(..*at).unwrap_or_default();
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    });
    begins
        .filter_map(|at| {
            let line = code.get(..at)?.matches('\n').count() + 1;
            let rest = code.get(at..)?;
            Some((line, rest.get(..body_end(rest)?)?.matches('\n').count() + 1))
        })
        .collect()
}

/// Where the function's body ends. `None` for one that has none, such as a trait's.
fn body_end(function: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for (at, c) in function.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        if c == '}' && braces == 0 {
            return Some(at);
        }
    }
    None
}
