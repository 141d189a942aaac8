//! Rust source taken apart just enough: code, comments and string literals, each with its line.

use std::sync::OnceLock;

use crate::tree::{self, File};

/// A comment or a string literal.
pub(crate) struct Piece {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// What it says.
    pub(crate) text: String,
}

/// A Rust file.
pub(crate) struct Source {
    /// The file as it is.
    pub(crate) file: &'static File,
    /// The code, line by line, without comments and with every string empty.
    pub(crate) code: String,
    /// Its comments.
    pub(crate) comments: Vec<Piece>,
    /// Its string literals.
    pub(crate) literals: Vec<Piece>,
}

impl Source {
    /// The lines of the code, numbered from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line))
    }
}

/// Every Rust file.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| tree::ending(".rs").map(read).collect())
}

fn read(file: &'static File) -> Source {
    let mut reader = Reader {
        rest: &file.text,
        line: 1,
        source: Source { file, code: String::new(), comments: Vec::new(), literals: Vec::new() },
    };
    while reader.step() {}
    reader.source
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl Reader<'_> {
    /// Takes the next piece. False at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.comment(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.comment(block_comment_bytes(self.rest));
        } else if let Some((open, bytes)) = string(self.rest) {
            self.literal(open, bytes);
        } else if first == '\'' {
            self.code(char_bytes(self.rest));
        } else {
            self.code(first.len_utf8());
        }
        true
    }

    fn take(&mut self, bytes: usize) -> String {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken.to_owned()
    }

    fn code(&mut self, bytes: usize) {
        let taken = self.take(bytes);
        self.source.code.push_str(&taken);
    }

    fn comment(&mut self, bytes: usize) {
        let line = self.line;
        let text = self.take(bytes);
        self.keep_lines(&text);
        self.source.comments.push(Piece { line, text });
    }

    fn literal(&mut self, open: usize, bytes: usize) {
        let line = self.line;
        let text = self.take(bytes);
        self.source.code.push_str("\"\"");
        self.keep_lines(&text);
        // A raw string closes with as many hashes as it opens with, and has an `r` in front.
        let close = text.len().saturating_sub(open.saturating_sub(1).max(1));
        let text = text.get(open..close).unwrap_or_default().to_owned();
        self.source.literals.push(Piece { line, text });
    }

    fn keep_lines(&mut self, text: &str) {
        self.source.code.extend(text.chars().filter(|c| *c == '\n'));
    }
}

fn block_comment_bytes(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest.starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Where a string literal at the beginning of `text` opens and how long it is, in bytes.
fn string(text: &str) -> Option<(usize, usize)> {
    if text.starts_with('"') {
        return Some((1, plain_string_bytes(text)));
    }
    let raw = text.strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let body = raw.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let open = 2 + hashes;
    Some((open, open + body.find(&end).map_or(body.len(), |at| at + end.len())))
}

fn plain_string_bytes(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            // The opening quote counts as escaped.
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A character literal, or the mere quote of a lifetime.
fn char_bytes(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

#[test]
fn sources_are_taken_apart() {
    let text = "fn f<'a>() { // say \"hi\"\n let c = ['\"', '\\'', '\\u{7b}']; /* { /* */ */\n g(\"a\\\"b\n{\", r#\"c\"d\"#); }";
    let file = Box::leak(Box::new(File { path: String::new(), text: text.to_owned() }));
    let source = read(file);
    let literals: Vec<_> = source.literals.iter().map(|piece| (piece.line, piece.text.as_str())).collect();
    assert_eq!(literals, [(3, "a\\\"b\n{"), (4, "c\"d")]);
    assert_eq!(source.comments.iter().map(|piece| piece.line).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(source.code.matches('\n').count(), 3);
    assert!(source.code.ends_with(" }"), "{}", source.code);
}
