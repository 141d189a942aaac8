//! `muster watch`: a tenant's events as they happen, over broken connections: each stream goes on where the one before ended.

mod line;

use std::time::Duration;

use clap::Args;
use futures::TryStreamExt as _;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use prost_reflect::{DynamicMessage, Value};
use prost_types::Timestamp;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::api;
use crate::failure::{self, Exit, Failure, Result};
use crate::flags;
use crate::resource::{CAMPAIGN, MESSAGE, NUMBER};
use crate::session::Session;
use crate::show::Output;
use crate::show::value::safe;
use crate::verb::Verb;

/// How long to wait before a broken stream is opened again: longer each time in vain, up to the last of these.
const AGAIN_AFTER: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

pub(crate) fn verb() -> Verb {
    Verb::special(
        "watch",
        "Show events as they happen, until Ctrl-C",
        vec![api::rpc::<WatchEventsRequest>()],
        watch,
    )
}

#[derive(Args)]
struct Watch {
    /// Only events of this kind; can be repeated. All that the key may read otherwise
    #[arg(long = "kind", visible_alias = "kinds", value_delimiter = ',', value_parser = flags::choice("EventKind"))]
    kinds: Vec<i32>,
    /// Only events of this campaign
    #[arg(long)]
    campaign: Option<String>,
    /// Only events of this message
    #[arg(long)]
    message: Option<String>,
    /// Only events of this number of ours
    #[arg(long)]
    number: Option<String>,
    /// Begin with the events of this time, or of so long ago, such as 10m; a day at most
    #[arg(long, value_name = "TIME", value_parser = flags::ago, conflicts_with = "resume")]
    since: Option<Timestamp>,
    /// Begin where an earlier watch ended, by the token that it said
    #[arg(long, value_name = "TOKEN")]
    resume: Option<String>,
}

async fn watch(session: &Session, output: &Output, flags: Watch) -> Result<()> {
    let start = flags.resume.map(Start::ResumeToken).or(flags.since.map(Start::StartTime));
    let mut request = WatchEventsRequest {
        parent: session.tenant().await?,
        kinds: flags.kinds,
        campaign: CAMPAIGN.resolve_some(session, flags.campaign.as_deref()).await?,
        message: MESSAGE.resolve_some(session, flags.message.as_deref()).await?,
        phone_number: NUMBER.resolve_some(session, flags.number.as_deref()).await?,
        start,
    };
    tokio::select! {
        ended = follow_on(session, output, &mut request) => Err(ended),
        _ = tokio::signal::ctrl_c() => {
            if let Some(Start::ResumeToken(token)) = &request.start {
                output.note(&format!("go on with --resume {token}"));
            }
            Ok(())
        }
    }
}

/// Follows one stream after the other, until one ends for good.
async fn follow_on(session: &Session, output: &Output, request: &mut WatchEventsRequest) -> Failure {
    let mut vain = 0;
    loop {
        let failure = follow(session, output, request, &mut vain).await;
        if !go_on(&failure, request) {
            return failure;
        }
        let pause = AGAIN_AFTER.get(vain).or(AGAIN_AFTER.last()).copied().unwrap_or_default();
        vain += 1;
        let (why, seconds) = (safe(&failure.message), pause.as_secs_f64());
        output.note(&format!("the stream broke off ({why}); going on in {seconds:.1} s"));
        tokio::time::sleep(pause).await;
    }
}

/// Shows events until the stream breaks off, and keeps where it was.
async fn follow(
    session: &Session,
    output: &Output,
    request: &mut WatchEventsRequest,
    vain: &mut usize,
) -> Failure {
    let shown = async {
        let mut stream = session.stream(&*request).await?;
        // The first frame says that everything from now on will come.
        let mut begins = Some("watching; Ctrl-C ends it");
        while let Some(frame) = stream.try_next().await? {
            *vain = 0;
            begins.take().into_iter().for_each(|note| output.note(note));
            for event in events(&frame) {
                match output.is_json() {
                    true => output.line(&event)?,
                    false => output.text(&line::words(&event))?,
                }
            }
            // Only now: what was not shown must come again.
            let frame: WatchEventsResponse = api::typed(&frame)?;
            if !frame.resume_token.is_empty() {
                request.start = Some(Start::ResumeToken(frame.resume_token));
            }
        }
        Result::Ok(())
    };
    // A stream never ends by itself: this is a gateway that went away in order.
    let ended = || Failure::new(Exit::Unavailable, "the gateway ended the stream");
    shown.await.err().unwrap_or_else(ended)
}

fn events(frame: &DynamicMessage) -> Vec<DynamicMessage> {
    let events = frame.get_field_by_name("events").map(std::borrow::Cow::into_owned);
    let events = events.as_ref().and_then(Value::as_list).unwrap_or_default();
    events.iter().filter_map(Value::as_message).cloned().collect()
}

/// Whether the stream is to be opened again, and from where.
fn go_on(failure: &Failure, request: &mut WatchEventsRequest) -> bool {
    let Some(status) = failure.status() else { return failure.exit == Exit::Unavailable };
    match status.code() {
        // A gateway or a proxy that goes away breaks streams off with any of these.
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal | Code::DeadlineExceeded => true,
        Code::Aborted if failure::reason(status) == "WATCHER_TOO_SLOW" => {
            let details = status.get_error_details();
            let token = details.error_info().and_then(|info| info.metadata.get("resume_token").cloned());
            if let Some(token) = token {
                request.start = Some(Start::ResumeToken(token));
            }
            true
        }
        Code::Aborted
        | Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn a_stream_goes_on_after_what_passes() {
        let mut request = WatchEventsRequest::default();
        let ended = Failure::new(Exit::Unavailable, "the gateway ended the stream");
        assert!(go_on(&ended, &mut request));
        // Nobody reads what it writes, or the credential was revoked.
        assert!(!go_on(&Failure::new(Exit::Done, "nobody reads on"), &mut request));
        for (code, goes_on) in
            [(Code::Unavailable, true), (Code::Unauthenticated, false), (Code::OutOfRange, false)]
        {
            assert_eq!(go_on(&Failure::from(code_error(code)), &mut request), goes_on, "{code:?}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test plays the server")]
    fn code_error(code: Code) -> Status {
        Status::new(code, "")
    }
}
