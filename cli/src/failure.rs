//! Why a command failed: in words that say what to do, and as an exit code for scripts.

use std::fmt::{Display, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::hints;
use crate::show::value::safe;

/// What a command comes to.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The exit codes, each with its meaning. docs/cli.md has them as a table.
pub(crate) const EXITS: [(Exit, &str); 9] = [
    (Exit::Done, "it was done"),
    (Exit::Failed, "it failed for another reason than those below"),
    (Exit::Usage, "the command or a value in it is wrong: INVALID_ARGUMENT"),
    (Exit::NotFound, "there is no such thing, or it is not yours: NOT_FOUND"),
    (Exit::Denied, "no credential, a wrong one, or one that may not: UNAUTHENTICATED, PERMISSION_DENIED"),
    (Exit::Unavailable, "nobody answered; the same command may work later: UNAVAILABLE, DEADLINE_EXCEEDED"),
    (
        Exit::Precondition,
        "something is not as it would have to be: FAILED_PRECONDITION, ALREADY_EXISTS, ABORTED, OUT_OF_RANGE",
    ),
    (Exit::Exhausted, "a quota or another bound was reached: RESOURCE_EXHAUSTED"),
    (Exit::Rejected, "`muster import --strict`: the import is done, and rows of the file were rejected"),
];

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Denied = 4,
    Unavailable = 5,
    Precondition = 6,
    Exhausted = 7,
    Rejected = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// What to do, where we know.
    hint: Option<String>,
    /// The API's own word, where it was the API that refused.
    status: Option<Box<Status>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, status: None }
    }

    /// The command is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// `what` did not work, because of an error.
    pub(crate) fn because(what: &str, error: impl Display) -> Self {
        Self::new(Exit::Failed, format!("{what}: {error}"))
    }

    /// The same with what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The API's code, where it was the API that refused.
    pub(crate) fn status(&self) -> Option<&Status> {
        self.status.as_deref()
    }

    /// What people read.
    pub(crate) fn words(&self) -> String {
        let mut words = format!("error: {}", safe(&self.message));
        if let Some(status) = &self.status {
            let details = status.get_error_details();
            for violation in details.bad_request().iter().flat_map(|request| &request.field_violations) {
                // The message of a wrong field is most often the status's own.
                if violation.description != self.message {
                    let _ = write!(words, "\n  {}: {}", violation.field, violation.description);
                }
            }
            for (name, value) in done(status) {
                let _ = write!(words, "\n  {name}: {value}");
            }
            if let Some(wait) = details.retry_info().and_then(|info| info.retry_delay) {
                let _ = write!(words, "\n  it may work again in {} s", wait.as_secs().max(1));
            }
            let _ = write!(words, "\n  ({})", label(status));
        }
        if let Some(hint) = &self.hint {
            let _ = write!(words, "\nhint: {hint}");
        }
        words
    }

    /// What programs read.
    pub(crate) fn json(&self) -> Value {
        let mut error = json!({ "exit": self.exit as u8, "message": self.message });
        if let Some(status) = &self.status {
            error["code"] = json!(code_name(status.code()));
            error["reason"] = json!(reason(status));
            let details = status.get_error_details();
            let violations = details.bad_request().map(|request| request.field_violations.as_slice());
            let violations = violations.unwrap_or_default().iter();
            let violations: Vec<_> = violations
                .map(|violation| json!({ "field": violation.field, "description": violation.description }))
                .collect();
            error["fieldViolations"] = json!(violations);
            error["metadata"] = json!(done(status).into_iter().collect::<std::collections::BTreeMap<_, _>>());
        }
        if let Some(hint) = &self.hint {
            error["hint"] = json!(hint);
        }
        json!({ "error": error })
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let hint = hints::hint(status.code(), &reason(&status)).map(str::to_owned);
        let message = match status.message() {
            "" => code_name(status.code()).to_lowercase().replace('_', " "),
            message => message.to_owned(),
        };
        Self {
            exit: exit_of(status.code()),
            message: with_sources(message, &status),
            hint,
            status: Some(Box::new(status)),
        }
    }
}

/// What tonic says of a broken connection is in the sources of its error.
fn with_sources(mut message: String, status: &Status) -> String {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let text = error.to_string();
        if !message.contains(&text) {
            let _ = write!(message, ": {text}");
        }
        source = error.source();
    }
    message
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::Ok => Exit::Done,
        Code::InvalidArgument => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::Unauthenticated | Code::PermissionDenied => Exit::Denied,
        Code::Unavailable | Code::DeadlineExceeded => Exit::Unavailable,
        Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted | Code::OutOfRange => {
            Exit::Precondition
        }
        Code::ResourceExhausted => Exit::Exhausted,
        Code::Cancelled | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
            Exit::Failed
        }
    }
}

/// The reason that the API gives for programs; empty where it gives none.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// What the API says besides, by name: how far a call came, which quota it was.
fn done(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let mut done: Vec<_> = details.error_info().into_iter().flat_map(|info| info.metadata.clone()).collect();
    done.sort();
    done
}

/// The code and, where it says more, the reason.
fn label(status: &Status) -> String {
    let (code, reason) = (code_name(status.code()), reason(status));
    if reason.is_empty() || reason == code { code.to_owned() } else { format!("{code}, {reason}") }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
