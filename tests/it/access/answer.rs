//! What an answer gives away.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// An answer as far as it may tell anything, without the names that the caller has sent.
#[derive(PartialEq)]
pub(super) struct Answer {
    pub(super) code: Code,
    message: String,
    details: String,
    pub(super) field: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}, naming {:?}", self.code, self.message, self.field)
    }
}

impl Answer {
    pub(super) fn of(status: &Status, names: &[(&str, String)]) -> Self {
        let mut message = status.message().to_owned();
        let mut details = format!("{:?}", status.get_error_details());
        for (_, name) in names {
            (message, details) = (message.replace(name, "it"), details.replace(name, "it"));
        }
        let violations = status.get_details_bad_request().map(|request| request.field_violations);
        let field = violations.and_then(|all| all.into_iter().next()).map(|violation| violation.field);
        Self { code: status.code(), message, details, field }
    }
}
