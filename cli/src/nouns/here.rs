//! Who one is, and who answers.

use muster_proto::v1::{GetCallerRequest, GetCallerResponse};
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::api;
use crate::failure::{Exit, Failure, Result};
use crate::session::Session;
use crate::show::{Output, table};
use crate::verb::{Nothing, Verb};

pub(crate) fn whoami() -> Verb {
    Verb::call(
        "whoami",
        "Show who the key belongs to, and what it may do",
        async |_session: &Session, Nothing {}| Ok(GetCallerRequest {}),
    )
}

pub(crate) fn status() -> Verb {
    let about = "Show which platform is called with which key, and who answers";
    Verb::special("status", about, vec![api::rpc::<GetCallerRequest>()], look)
}

async fn look(session: &Session, output: &Output, Nothing {}: Nothing) -> Result<()> {
    let place = &session.place;
    let [api, events] = session.doors()?;
    let (api, events, caller) = tokio::join!(health(api), health(events), session.get(&GetCallerRequest {}));
    let caller: std::result::Result<GetCallerResponse, Failure> = caller;
    let (who, tenant) = match &caller {
        Ok(caller) => (caller.caller.clone(), caller.tenant.clone()),
        Err(failure) => (failure.message.clone(), String::new()),
    };
    let tenant = place.tenant.clone().unwrap_or(tenant);
    let rows = [
        ("platform", place.from.clone()),
        ("API", format!("{} ({api})", place.endpoint)),
        ("events", format!("{} ({events})", place.events_endpoint)),
        ("key from", place.key_from.clone()),
        ("caller", who),
        (
            "tenant",
            if tenant.is_empty() {
                "none: an operator calls for any, with --tenant".to_owned()
            } else {
                tenant
            },
        ),
    ];
    if output.is_json() {
        let object: serde_json::Map<_, _> =
            rows.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        output.line(&object)?;
    } else {
        let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
        output.text(table::of_cells(vec![String::new(); 2], rows).trim_start_matches('\n'))?;
    }
    caller?;
    match [api, events].iter().all(|health| health == SERVING) {
        true => Ok(()),
        false => Err(Failure::new(Exit::Unavailable, "not everything serves")),
    }
}

const SERVING: &str = "serving";

/// What a server says of its health.
async fn health(channel: tonic::transport::Channel) -> String {
    match HealthClient::new(channel).check(HealthCheckRequest::default()).await {
        Ok(answer) => answer.into_inner().status().as_str_name().to_lowercase().replace('_', " "),
        Err(status) => Failure::from(status).message,
    }
}
