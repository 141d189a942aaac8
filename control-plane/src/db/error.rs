//! What can go wrong between us and PostgreSQL, without anything that a row may hold: PostgreSQL puts whole rows into
//! the details of its errors, with phone numbers and texts, and errors are logged.

use std::{fmt, io};

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

/// Classes of SQLSTATE whose first line names only things of the schema and the server: connections, constraints,
/// transactions, log-ins, databases, statements (ours have their values apart), resources, states, operators,
/// faults. Not class 22: it quotes the value that was wrong.
const CLASSES_SHOWN: [&str; 12] = ["08", "23", "25", "28", "3D", "40", "42", "53", "55", "57", "58", "XX"];

/// What can go wrong between us and PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] Said),
    /// No connection was to be had.
    #[error("no connection to PostgreSQL")]
    Pool(#[source] Said),
    /// The tenant is not there any more, and so has no audit log.
    #[error("there is no tenant to keep an audit log for")]
    NoTenant,
}

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What PostgreSQL or its client said, as far as it may be logged.
#[derive(Debug)]
pub struct Said {
    code: Option<SqlState>,
    text: String,
}

impl Said {
    /// What may be logged of `error`.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            return Self { code: Some(said.code().clone()), text: shown(said) };
        }
        // Of the client's other errors only those of the network have a cause without values.
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
        let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        Self { code: None, text }
    }
}

/// The first line of what PostgreSQL said, where its kind holds no values.
fn shown(said: &DbError) -> String {
    let code = said.code().code();
    let mut text = format!("{} {code}", said.severity());
    if CLASSES_SHOWN.iter().any(|class| code.starts_with(class)) {
        text.push_str(": ");
        text.push_str(said.message());
    }
    if let Some(constraint) = said.constraint() {
        text.push_str(" [");
        text.push_str(constraint);
        text.push(']');
    }
    text
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Said {}

impl Error {
    /// Whether a unique constraint was in the way.
    pub fn is_unique_violation(&self) -> bool {
        self.code() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether something that was referred to is not there.
    pub fn is_foreign_key_violation(&self) -> bool {
        self.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION)
    }

    /// Whether the values themselves were at fault (SQLSTATE classes 22, 23 and 54: data, constraints, limits): then the
    /// same statement fails again, whenever it is tried.
    pub fn is_about_values(&self) -> bool {
        self.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)))
    }

    /// What PostgreSQL said of a statement, as a code.
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Statement(said) => said.code.as_ref(),
            Self::Pool(_) | Self::NoTenant => None,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(Said::of(&error))
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        let said = match &error {
            PoolError::Backend(error) => Said::of(error),
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => Said { code: None, text: error.to_string() },
        };
        Self::Pool(said)
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        muster_runtime::Error::from(error).into()
    }
}

impl From<Error> for muster_runtime::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Pool(_) => Self::unavailable(error),
            Error::NoTenant => Self::internal(error),
            // Deadlocks, time-outs and lost connections pass; the rest are faults of ours.
            Error::Statement(said) => match &said.code {
                None
                | Some(
                    SqlState::T_R_DEADLOCK_DETECTED
                    | SqlState::QUERY_CANCELED
                    | SqlState::LOCK_NOT_AVAILABLE
                    | SqlState::ADMIN_SHUTDOWN,
                ) => Self::unavailable(error),
                Some(_) => Self::internal(error),
            },
        }
    }
}
