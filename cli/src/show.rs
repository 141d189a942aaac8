//! What a command shows: for people on a terminal, or as JSON for programs. Results go to standard output, one object a
//! line as JSON; everything else goes to standard error.

mod record;
pub(crate) mod table;
pub(crate) mod value;

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde::Serialize;

use crate::api;
use crate::failure::{Exit, Failure, Result};

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether somebody looks at what moves on standard output.
    pub(crate) fn is_live(self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// One message.
    ///
    /// # Errors
    /// Where standard output is closed.
    pub(crate) fn answer(self, message: &DynamicMessage) -> Result<()> {
        if self.json {
            return self.line(message);
        }
        let text = record::text(message);
        self.text(if text.is_empty() { "done" } else { text.trim_end() })?;
        let descriptor = message.descriptor();
        let mut secrets = descriptor.fields().filter(api::is_secret);
        // What has a name can be shown again.
        if api::text_at(message, "name").is_none() && secrets.any(|secret| message.has_field(&secret)) {
            self.note("keep the secret: it is shown only now");
        }
        Ok(())
    }

    /// Anything as JSON, on a line of its own.
    ///
    /// # Errors
    /// Where standard output is closed.
    pub(crate) fn line(self, value: &impl Serialize) -> Result<()> {
        let text =
            serde_json::to_string(value).map_err(|error| Failure::because("the answer is no JSON", error))?;
        self.text(&text)
    }

    /// Messages as a table of some of their fields.
    ///
    /// # Errors
    /// Where standard output is closed.
    pub(crate) fn table(self, rows: &[DynamicMessage], columns: &[&str]) -> Result<()> {
        if rows.is_empty() {
            self.note("none");
            return Ok(());
        }
        self.text(&table::of_messages(rows, columns))
    }

    /// A line of text, or several.
    ///
    /// # Errors
    /// Where standard output is closed: nobody wants to know more.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        written.map_err(|error| {
            let is_closed = error.kind() == ErrorKind::BrokenPipe;
            let closed = || Failure::new(Exit::Done, "nobody reads on");
            if is_closed { closed() } else { Failure::because("cannot write to standard output", error) }
        })
    }

    /// A word beside the result. If nobody can read it, nothing is lost.
    pub(crate) fn note(self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Asks whether somebody is sure.
    ///
    /// # Errors
    /// Where they are not, or nobody can answer.
    pub(crate) fn sure(self, what: &str) -> Result<()> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{what}: are you sure? Nobody can answer")).hint("add --yes"));
        }
        let _ = write!(std::io::stderr(), "{what}: are you sure? [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        match read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            true => Ok(()),
            false => Err(Failure::new(Exit::Failed, "nothing was done")),
        }
    }
}
