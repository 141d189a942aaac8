//! What to do about what the API refuses: by the reason of its ErrorInfo and, where that says no more, by its code.

use tonic::Code;

/// By reason.
const BY_REASON: [(&str, &str); 21] = [
    ("TENANT_SUSPENDED", "whoever runs the platform has suspended your organization: ask them"),
    (
        "BROADCAST_NOT_ALLOWED",
        "make it a click campaign, or ask the operator: `muster tenants update TENANT --broadcast true`",
    ),
    ("CAMPAIGN_STATE", "see where it is: `muster campaigns get CAMPAIGN`"),
    (
        "CAMPAIGN_MODE",
        "only the texts of a click campaign are claimed: `muster campaigns get CAMPAIGN` says what it is",
    ),
    ("EMPTY_CONTACT_LIST", "import contacts first: `muster import LIST FILE.csv`"),
    ("CONTACT_LIST_ERASED", "its contacts were erased for their age: import them into a new list"),
    (
        "EMPTY_NUMBER_POOL",
        "put numbers into the pool first: `muster numbers add POOL --account ACCOUNT NUMBER...`",
    ),
    ("NO_ROUTE", "no route carries this kind of message from the pool's numbers: see `muster routes list`"),
    ("NOT_ASSIGNED", "claim it first: `muster texting claim CAMPAIGN`"),
    ("OUTSIDE_SENDING_HOURS", "wait until it is day where the recipient is"),
    ("LAST_OWNER", "make somebody else an owner first: `muster members update MEMBER --role owner`"),
    (
        "ROLE_IN_USE",
        "give those who have it another role first: see `muster members list`, `muster keys list`",
    ),
    ("QUOTA_EXCEEDED", "see what is used: `muster tenants usage`; an operator can change quotas"),
    ("ETAG_MISMATCH", "somebody changed it meanwhile: look at it again, and repeat the command"),
    ("TENANT_STATE", "see where it is in its life: `muster tenants get TENANT`"),
    (
        "RESUME_TOKEN_TOO_OLD",
        "what came since is not kept any longer: list the resources, and watch from now",
    ),
    ("START_TIME_TOO_OLD", "events are kept for a day: list the resources, and watch from a later time"),
    ("TOO_MANY_WATCHES", "end another watch, or wait until one ends"),
    ("WATCHER_TOO_SLOW", "write to a file rather than to a slow terminal, or watch fewer kinds"),
    ("GOING_AWAY", "that server is just being replaced: repeat the command"),
    ("INTERNAL", "the fault is the platform's and is in its log: tell whoever runs it, with the time"),
];

/// By code.
fn by_code(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some(
            "the key is missing, wrong, expired or revoked: `muster status` says which key is used from where",
        ),
        Code::PermissionDenied => Some("`muster whoami` lists what you may do"),
        Code::NotFound => {
            Some("ids and names are those of the tenant that you call for: `muster status` says which")
        }
        Code::Unavailable | Code::DeadlineExceeded => {
            Some("`muster status` says who answers; the same command may work later")
        }
        Code::Unimplemented => {
            Some("the platform is older than this command, or the endpoint is not Muster's API")
        }
        Code::ResourceExhausted => Some("see what is used: `muster tenants usage`"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => None,
    }
}

/// What to do, where we know.
pub(crate) fn hint(code: Code, reason: &str) -> Option<&'static str> {
    let exact = BY_REASON.iter().find(|(known, _)| *known == reason).map(|(_, hint)| *hint);
    exact.or_else(|| by_code(code))
}

/// All hints.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    let codes = (0..=16).map(Code::from_i32).filter_map(by_code);
    BY_REASON.iter().map(|(_, hint)| *hint).chain(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_says_more_than_the_code() {
        let denied = Code::PermissionDenied;
        assert!(hint(denied, "TENANT_SUSPENDED").is_some_and(|hint| hint.contains("suspended")));
        assert!(hint(denied, "PERMISSION_DENIED").is_some_and(|hint| hint.contains("whoami")));
        assert_eq!(hint(Code::InvalidArgument, "INVALID_ARGUMENT"), None);
    }
}
