//! One error for everything a caller can see: a kind, a message safe for strangers, and a private source.
//!
//! It becomes a gRPC `Status` with google.rpc details here and nowhere else, as the last step. The source is
//! logged then, once, and never sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};

/// The domain of every `ErrorInfo` (AIP-193).
const DOMAIN: &str = "muster.v1";

/// What went wrong, for a caller.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    reason: &'static str,
    message: String,
    field: Option<String>,
    resume_token: Option<String>,
    exceeded: Option<Box<Exceeded>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// A quota that a call would have gone beyond.
#[derive(Clone, Debug)]
struct Exceeded {
    tenant: String,
    quota: &'static str,
    limit: i64,
    retry_after: Option<Duration>,
    /// How far the call came, by what: for calls that do something before they are stopped.
    done: Vec<(&'static str, i64)>,
}

/// A result whose error a caller can see.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            field: None,
            resume_token: None,
            exceeded: None,
            source: None,
        }
    }

    /// A field of the request is wrong. `field` is its path, such as `campaign.template`.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = field.into();
        let message = format!("{field}: {}", message.into());
        Self { field: Some(field), ..Self::new(Code::InvalidArgument, "INVALID_ARGUMENT", message) }
    }

    /// There is no such thing, or it is somebody else's: a caller cannot tell which.
    pub fn not_found(name: &str) -> Self {
        Self::new(Code::NotFound, "NOT_FOUND", format!("{name} was not found"))
    }

    /// It is there already.
    pub fn already_exists(what: impl Into<String>) -> Self {
        Self::new(Code::AlreadyExists, "ALREADY_EXISTS", what)
    }

    /// The system is not in the state that the call needs. `reason` is for programs, in UPPER_SNAKE_CASE.
    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    /// The caller is known and may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::PermissionDenied, "PERMISSION_DENIED", message)
    }

    /// The caller is known, and their tenant is suspended or deleted.
    pub fn suspended() -> Self {
        let message = "your organization is suspended; ask whoever runs this platform";
        Self::new(Code::PermissionDenied, "TENANT_SUSPENDED", message)
    }

    /// The caller is not known.
    pub fn unauthenticated() -> Self {
        let message = "send a valid API key or token as the metadata `authorization: Bearer {credential}`";
        Self::new(Code::Unauthenticated, "UNAUTHENTICATED", message)
    }

    /// There is no such rpc, or none that may be called here.
    pub fn unimplemented(path: &str) -> Self {
        Self::new(Code::Unimplemented, "UNIMPLEMENTED", format!("there is no rpc at {path}"))
    }

    /// The token or range asked for is gone.
    pub fn out_of_range(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::OutOfRange, reason, message)
    }

    /// Something that we depend on does not answer; the same call may work later.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = Self::new(Code::Unavailable, "UNAVAILABLE", "the service cannot answer now; try again");
        Self { source: Some(source.into().into()), ..error }
    }

    /// The caller went away in the middle of the call. Nobody gets to read it but the audit log.
    pub fn cut_off() -> Self {
        Self::new(Code::Cancelled, "CANCELLED", "the caller went away before the call was complete")
    }

    /// This server is going down in an orderly way; another will answer.
    pub fn going_away() -> Self {
        let message = "this server is going down; connect again and go on where you were";
        Self::new(Code::Unavailable, "GOING_AWAY", message)
    }

    /// A bound of ours was reached. `reason` is for programs, in UPPER_SNAKE_CASE.
    pub fn exhausted(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, reason, message)
    }

    /// A quota of `tenant` (its resource name) was reached: `limit` is all that it allows.
    pub fn quota_exceeded(tenant: String, quota: &'static str, limit: i64) -> Self {
        let message = format!("the quota {quota} of {tenant} is {limit}");
        let exceeded = Exceeded { tenant, quota, limit, retry_after: None, done: Vec::new() };
        let exceeded = Some(Box::new(exceeded));
        Self { exceeded, ..Self::new(Code::ResourceExhausted, "QUOTA_EXCEEDED", message) }
    }

    /// Of an exceeded quota: when the same call may work.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        if let Some(exceeded) = &mut self.exceeded {
            exceeded.retry_after = Some(wait);
        }
        self
    }

    /// Of an exceeded quota: what the call did before it was stopped, in `words` and, for programs, by name.
    #[must_use]
    pub fn done_before(mut self, words: &str, done: Vec<(&'static str, i64)>) -> Self {
        self.message = format!("{}; {words}", self.message);
        if let Some(exceeded) = &mut self.exceeded {
            exceeded.done = done;
        }
        self
    }

    /// A watcher does not keep up with what it watches; it can go on with `resume_token`.
    pub fn watcher_too_slow(resume_token: String) -> Self {
        let message = "you read more slowly than events come, and those that come next are not held any longer; connect \
                       again with the `resume_token` of this error's metadata";
        let resume_token = Some(resume_token);
        Self { resume_token, ..Self::new(Code::Aborted, "WATCHER_TOO_SLOW", message) }
    }

    /// The resource is not what the caller had read.
    pub fn aborted(message: impl Into<String>) -> Self {
        Self::new(Code::Aborted, "ETAG_MISMATCH", message)
    }

    /// A fault of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = Self::new(Code::Internal, "INTERNAL", "an internal error; it has been logged");
        Self { source: Some(source.into().into()), ..error }
    }

    /// The code that a caller will see.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl From<Error> for Status {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a Status")]
    fn from(error: Error) -> Self {
        if let Some(source) = &error.source {
            tracing::error!(code = ?error.code, error = format!("{:#}", Chain(source.as_ref())), "a call failed");
        }
        let mut details = ErrorDetails::new();
        let mut metadata = HashMap::new();
        if let Some(exceeded) = error.exceeded {
            exceeded.explain(&error.message, &mut details, &mut metadata);
        }
        metadata.extend(error.resume_token.map(|token| ("resume_token".to_owned(), token)));
        details.set_error_info(error.reason, DOMAIN, metadata);
        if let Some(field) = error.field {
            details.add_bad_request_violation(field, error.message.clone());
        }
        Status::with_error_details(error.code, error.message, details)
    }
}

impl Exceeded {
    fn explain(self, message: &str, details: &mut ErrorDetails, metadata: &mut HashMap<String, String>) {
        metadata.extend(self.done.iter().map(|(name, count)| ((*name).to_owned(), count.to_string())));
        metadata.insert("quota".to_owned(), self.quota.to_owned());
        metadata.insert("limit".to_owned(), self.limit.to_string());
        let violation = QuotaViolation {
            quota_metric: self.quota.to_owned(),
            quota_id: self.quota.to_owned(),
            quota_value: self.limit,
            ..QuotaViolation::new(self.tenant, message)
        };
        details.set_quota_failure(vec![violation]);
        if let Some(wait) = self.retry_after {
            details.set_retry_info(Some(wait));
        }
    }
}

/// An error with all of its sources, for logs.
struct Chain<'a>(&'a (dyn std::error::Error + Send + Sync));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
