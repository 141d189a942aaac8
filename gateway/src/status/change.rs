//! From what crosses JetStream to what watchers see.

use muster_domain::id::TenantId;
use muster_proto::internal::v1::{StatusFrame, StatusRecord};
use muster_proto::v1::{ErrorClass, MessageStatus, StatusChange};
use muster_runtime::frame::id_from;
use muster_runtime::{clock, name};
use uuid::Uuid;

/// The changes in `frame` that a watcher of `campaign`, or of all campaigns, sees.
pub(super) fn changes(frame: StatusFrame, tenant: TenantId, campaign: Option<Uuid>) -> Vec<StatusChange> {
    let seen =
        |record: &StatusRecord| campaign.is_none_or(|wanted| record.campaign_id == wanted.as_bytes()[..]);
    let records = frame.changes.into_iter().filter(seen);
    records.filter_map(|record| change(record, tenant)).collect()
}

/// One change. `None` where its ids are none, which no build of ours writes.
fn change(record: StatusRecord, tenant: TenantId) -> Option<StatusChange> {
    let StatusRecord {
        message_id,
        campaign_id,
        status,
        previous_status,
        attempt,
        error_class,
        error_code,
        time_us,
        ..
    } = record;
    let message = id_from(&message_id)?;
    let campaign = id_from(&campaign_id)?;
    Some(StatusChange {
        message: name::format("tenants/*/messages/*", &[tenant.0, message]),
        campaign: name::format("tenants/*/campaigns/*", &[tenant.0, campaign]),
        status: known(status, MessageStatus::try_from).into(),
        previous_status: known(previous_status, MessageStatus::try_from).into(),
        attempt: i32::try_from(attempt).unwrap_or(i32::MAX),
        error_class: known(error_class, ErrorClass::try_from).into(),
        error_code,
        time: Some(clock::timestamp(time_us)),
    })
}

/// The API has the domain's numbers. One that this build does not know is shown as unspecified.
fn known<T: Default, E>(number: u32, read: impl Fn(i32) -> Result<T, E>) -> T {
    i32::try_from(number).ok().and_then(|number| read(number).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use muster_domain::status::Status;
    use muster_runtime::frame::id_bytes;

    use super::*;

    fn record(campaign: u128) -> StatusRecord {
        StatusRecord {
            message_id: id_bytes(Uuid::from_u128(1)),
            campaign_id: id_bytes(Uuid::from_u128(campaign)),
            status: 6,
            previous_status: 5,
            attempt: 2,
            error_class: 0,
            error_code: String::new(),
            time_us: 1_500_000,
            ..StatusRecord::default()
        }
    }

    #[test]
    fn shows_only_the_campaign_that_was_asked_for() {
        let frame = StatusFrame { changes: vec![record(7), record(8)], ..StatusFrame::default() };
        let tenant = TenantId(Uuid::from_u128(9));
        assert_eq!(changes(frame.clone(), tenant, None).len(), 2);
        let [change] = &changes(frame, tenant, Some(Uuid::from_u128(8)))[..] else { panic!("one") };
        assert_eq!(change.campaign, name::format("tenants/*/campaigns/*", &[tenant.0, Uuid::from_u128(8)]));
        assert_eq!(change.status(), MessageStatus::Delivered);
        assert_eq!(change.previous_status(), MessageStatus::Sent);
        assert_eq!(change.time.map(|time| (time.seconds, time.nanos)), Some((1, 500_000_000)));
    }

    #[test]
    fn the_api_has_the_numbers_of_the_domain() {
        for status in Status::ALL {
            let shown = MessageStatus::try_from(i32::from(status.code())).expect("the API knows it");
            assert_eq!(shown.as_str_name(), format!("MESSAGE_STATUS_{}", status.name()));
        }
        for class in muster_domain::error::ErrorClass::ALL {
            let shown = ErrorClass::try_from(i32::from(class.code())).expect("the API knows it");
            let name = shown.as_str_name().trim_start_matches("ERROR_CLASS_").replace('_', "");
            assert_eq!(name, format!("{class:?}").to_uppercase());
        }
    }
}
