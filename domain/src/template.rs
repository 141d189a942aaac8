//! Templates: a text with merge fields, such as `Hi {firstName|friend}, will you vote?`.
//!
//! A field is a name in braces, with an optional default after a bar. `{{` and `}}` stand for braces. A value
//! that is missing or blank takes the default; where there is none, rendering fails, so that nobody is ever
//! texted "Hi ,". For the same reason a default may not be blank. Values are put in as they are: braces in a
//! value are not fields.

use std::ops::Range;

/// Bytes of a template's source at most. A body holds 1,600 characters of up to four bytes; the rest is room
/// for names and defaults.
pub const SOURCE_BYTES_MAX: usize = 16 * 1024;

/// A parsed template, ready to be rendered for millions of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

/// Ranges of bytes of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Range<usize>),
    Field { name: Range<usize>, default: Option<Range<usize>> },
}

/// What is wrong with a template, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {problem}")]
pub struct Error {
    /// The byte of the source, from 0.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The source is longer than [`SOURCE_BYTES_MAX`].
    #[error("the template is too long")]
    TooLong,
    /// A field has no closing brace.
    #[error("the field is not closed")]
    Unclosed,
    /// A closing brace closes nothing.
    #[error("the brace closes nothing; write }}}} for a brace")]
    Unopened,
    /// A field has no name.
    #[error("the field has no name")]
    EmptyName,
    /// A default is blank.
    #[error("the default is blank")]
    EmptyDefault,
    /// A character that a field cannot hold.
    #[error("{0:?} cannot stand in a field")]
    BadCharacter(char),
}

/// A field without a default has no value for this person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no value for the field {name}")]
pub struct MissingField {
    /// The name of the field.
    pub name: String,
}

impl Template {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Self, Error> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Error { at: SOURCE_BYTES_MAX, problem: Problem::TooLong });
        }
        let parts = Parser { source, at: 0, parts: Vec::new() }.parse()?;
        Ok(Self { source: source.to_owned(), parts })
    }

    /// The names of its fields, in order, as often as they occur.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Field { name, .. } => Some(self.slice(name)),
        })
    }

    /// Appends the text to `out`, with the values that `lookup` has for the fields, trimmed. If a value is
    /// missing, `out` is left as it was.
    pub fn render<'v>(
        &self,
        lookup: impl Fn(&str) -> Option<&'v str>,
        out: &mut String,
    ) -> Result<(), MissingField> {
        let before = out.len();
        for part in &self.parts {
            match part {
                Part::Literal(range) => out.push_str(self.slice(range)),
                Part::Field { name, default } => {
                    let name = self.slice(name);
                    let value = lookup(name).map(str::trim).filter(|value| !value.is_empty());
                    let Some(text) = value.or_else(|| default.as_ref().map(|range| self.slice(range))) else {
                        out.truncate(before);
                        return Err(MissingField { name: name.to_owned() });
                    };
                    out.push_str(text);
                }
            }
        }
        Ok(())
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.source.get(range.clone()).unwrap_or("")
    }
}

/// Walks the source from brace to brace. Braces and bars are ASCII, so every cut is between characters.
struct Parser<'s> {
    source: &'s str,
    at: usize,
    parts: Vec<Part>,
}

impl Parser<'_> {
    fn parse(mut self) -> Result<Vec<Part>, Error> {
        while let Some(offset) = self.rest(self.at).find(['{', '}']) {
            let brace = self.at + offset;
            let bytes = self.source.as_bytes();
            let doubled = bytes.get(brace) == bytes.get(brace + 1);
            let opens = bytes.get(brace) == Some(&b'{');
            match (opens, doubled) {
                // The first of two braces ends the literal and the second is skipped.
                (_, true) => self.literal(brace + 1, brace + 2),
                (true, false) => {
                    self.literal(brace, brace + 1);
                    self.field()?;
                }
                (false, false) => return Err(Error { at: brace, problem: Problem::Unopened }),
            }
        }
        self.literal(self.source.len(), self.source.len());
        Ok(self.parts)
    }

    /// Keeps the source up to `end` as a literal, and goes on at `next`.
    fn literal(&mut self, end: usize, next: usize) {
        if end > self.at {
            self.parts.push(Part::Literal(self.at..end));
        }
        self.at = next;
    }

    /// Reads a field whose opening brace has just been passed.
    fn field(&mut self) -> Result<(), Error> {
        let name = self.name()?;
        let default =
            if self.rest(name.end).starts_with('|') { Some(self.default(name.end + 1)?) } else { None };
        self.at = default.as_ref().unwrap_or(&name).end + 1;
        self.parts.push(Part::Field { name, default });
        Ok(())
    }

    fn name(&self) -> Result<Range<usize>, Error> {
        let start = self.at;
        for (offset, c) in self.rest(start).char_indices() {
            let at = start + offset;
            match c {
                '}' | '|' if offset == 0 => return Err(Error { at, problem: Problem::EmptyName }),
                '}' | '|' => return Ok(start..at),
                'A'..='Z' | 'a'..='z' | '_' => {}
                '0'..='9' if offset > 0 => {}
                _ => return Err(Error { at, problem: Problem::BadCharacter(c) }),
            }
        }
        Err(self.unclosed())
    }

    fn default(&self, start: usize) -> Result<Range<usize>, Error> {
        let Some(offset) = self.rest(start).find(['{', '}', '|']) else { return Err(self.unclosed()) };
        let end = start + offset;
        match self.rest(end).chars().next() {
            Some('}') if self.rest(start).get(..offset).is_some_and(|text| text.trim().is_empty()) => {
                Err(Error { at: start, problem: Problem::EmptyDefault })
            }
            Some(c @ ('{' | '|')) => Err(Error { at: end, problem: Problem::BadCharacter(c) }),
            Some(_) | None => Ok(start..end),
        }
    }

    /// Points at the brace that was never closed: that is where the mistake is.
    fn unclosed(&self) -> Error {
        Error { at: self.at - 1, problem: Problem::Unclosed }
    }

    fn rest(&self, from: usize) -> &str {
        self.source.get(from..).unwrap_or("")
    }
}

#[cfg(test)]
mod tests;
