//! From what crosses JetStream to what watchers see.

use muster_domain::id::TenantId;
use muster_proto::internal::v1::{
    NumberRecord, OptOutRecord, ProgressRecord, ReplyRecord, StatusFrame, StatusRecord,
};
use muster_proto::v1::event::Kind;
use muster_proto::v1::{
    CampaignProgress, CampaignState, ErrorClass, Event, EventKind, MessageStatus, NumberCondition,
    NumberHealth, OptOutCause, OptOutChange, Reply, ReplyKeyword, StatusChange, StatusCount,
};
use muster_runtime::frame::id_from;
use muster_runtime::{clock, name};
use uuid::Uuid;

use super::filter::About;

/// What a tenant's frame tells, in order. `id` is the frame's; `duplicate` says whether the frame came before. What has ids
/// that are none, which no build of ours writes, is left out.
pub(super) fn events(frame: StatusFrame, tenant: TenantId, id: Uuid, duplicate: bool) -> Vec<(About, Event)> {
    let StatusFrame { changes, frame_id: _, replies, opt_outs, progress, numbers } = frame;
    let of = Names { tenant };
    let changes = changes.into_iter().map(|record| of.change(record));
    let replies = replies.into_iter().map(|record| of.reply(record));
    let opt_outs = opt_outs.into_iter().map(|record| Some(of.opt_out(record)));
    let progress = progress.into_iter().map(|record| of.progress(record));
    let numbers = numbers.into_iter().map(|record| of.number(record));
    let all = changes.chain(replies).chain(opt_outs).chain(progress).chain(numbers);
    let event = |(index, told): (usize, Option<(About, Kind)>)| {
        let (about, kind) = told?;
        Some((about, Event { id: format!("{}-{index}", id.simple()), duplicate, kind: Some(kind) }))
    };
    all.enumerate().filter_map(event).collect()
}

/// Spells a tenant's resources.
struct Names {
    tenant: TenantId,
}

impl Names {
    fn of(&self, pattern: &str, id: Uuid) -> String {
        name::format(pattern, &[self.tenant.0, id])
    }

    fn campaign(&self, id: Uuid) -> String {
        self.of("tenants/*/campaigns/*", id)
    }

    fn phone_number(&self, id: Uuid) -> String {
        self.of("tenants/*/phoneNumbers/*", id)
    }

    fn change(&self, record: StatusRecord) -> Option<(About, Kind)> {
        let message = id_from(&record.message_id)?;
        let campaign = id_from(&record.campaign_id)?;
        let number = id_from(&record.number_id);
        let change = StatusChange {
            message: self.of("tenants/*/messages/*", message),
            campaign: self.campaign(campaign),
            status: known(record.status, MessageStatus::try_from).into(),
            previous_status: known(record.previous_status, MessageStatus::try_from).into(),
            attempt: i32::try_from(record.attempt).unwrap_or(i32::MAX),
            error_class: known(record.error_class, ErrorClass::try_from).into(),
            error_code: record.error_code,
            time: Some(clock::timestamp(record.time_us)),
            phone_number: number.map(|number| self.phone_number(number)).unwrap_or_default(),
        };
        let about =
            About { kind: EventKind::Status, campaign: Some(campaign), message: Some(message), number };
        Some((about, Kind::StatusChange(change)))
    }

    fn reply(&self, record: ReplyRecord) -> Option<(About, Kind)> {
        let about = About {
            kind: EventKind::Reply,
            campaign: id_from(&record.campaign_id),
            message: id_from(&record.message_id),
            number: id_from(&record.number_id),
        };
        let reply = Reply {
            name: self.of("tenants/*/replies/*", id_from(&record.reply_id)?),
            from: record.from,
            to: record.to,
            body: record.body,
            media_urls: record.media_urls,
            keyword: known(record.keyword, ReplyKeyword::try_from).into(),
            receive_time: Some(clock::timestamp(record.time_us)),
            ..Reply::default()
        };
        Some((about, Kind::Reply(reply)))
    }

    fn opt_out(&self, record: OptOutRecord) -> (About, Kind) {
        let change = OptOutChange {
            phone_number: record.phone,
            opted_out: record.opted_out,
            cause: known(record.cause, OptOutCause::try_from).into(),
            time: Some(clock::timestamp(record.time_us)),
        };
        let about = About { kind: EventKind::OptOut, campaign: None, message: None, number: None };
        (about, Kind::OptOutChange(change))
    }

    fn progress(&self, record: ProgressRecord) -> Option<(About, Kind)> {
        let campaign = id_from(&record.campaign_id)?;
        let mut counts: Vec<_> = record.counts.into_iter().collect();
        counts.sort_unstable();
        let status_count = |(status, count): &(u32, i64)| StatusCount {
            status: known(*status, MessageStatus::try_from).into(),
            count: *count,
        };
        let progress = CampaignProgress {
            campaign: self.campaign(campaign),
            state: known(record.state, CampaignState::try_from).into(),
            planned: record.planned,
            message_count: counts.iter().map(|(_, count)| count).sum(),
            status_counts: counts.iter().map(status_count).collect(),
            read_time: Some(clock::timestamp(record.time_us)),
        };
        let about = About {
            kind: EventKind::CampaignProgress,
            campaign: Some(campaign),
            message: None,
            number: None,
        };
        Some((about, Kind::CampaignProgress(progress)))
    }

    fn number(&self, record: NumberRecord) -> Option<(About, Kind)> {
        let number = id_from(&record.number_id)?;
        let account = id_from(&record.account_id);
        let health = NumberHealth {
            phone_number: self.phone_number(number),
            provider_account: account
                .map(|account| self.of("tenants/*/providerAccounts/*", account))
                .unwrap_or_default(),
            condition: known(record.condition, NumberCondition::try_from).into(),
            delivered_count: record.delivered,
            undelivered_count: record.undelivered,
            error_class: known(record.error_class, ErrorClass::try_from).into(),
            time: Some(clock::timestamp(record.time_us)),
        };
        let about =
            About { kind: EventKind::NumberHealth, campaign: None, message: None, number: Some(number) };
        Some((about, Kind::NumberHealth(health)))
    }
}

/// The API has the domain's numbers. One that this build does not know is shown as unspecified.
fn known<T: Default, E>(number: u32, read: impl Fn(i32) -> Result<T, E>) -> T {
    i32::try_from(number).ok().and_then(|number| read(number).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use muster_domain::status::Status;
    use muster_runtime::frame::id_bytes;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(9));
    const FRAME: Uuid = Uuid::from_u128(0xf);

    fn id(id: u128) -> Bytes {
        id_bytes(Uuid::from_u128(id))
    }

    fn record(campaign: u128) -> StatusRecord {
        StatusRecord {
            message_id: id(1),
            campaign_id: id(campaign),
            status: 6,
            previous_status: 5,
            attempt: 2,
            time_us: 1_500_000,
            number_id: id(3),
            ..StatusRecord::default()
        }
    }

    #[test]
    fn tells_everything_in_order_and_with_ids_of_its_own() {
        let frame = StatusFrame {
            changes: vec![record(7), StatusRecord::default(), record(8)],
            replies: vec![ReplyRecord { reply_id: id(4), campaign_id: id(7), ..ReplyRecord::default() }],
            opt_outs: vec![OptOutRecord { phone: "+12025550123".to_owned(), ..OptOutRecord::default() }],
            progress: vec![ProgressRecord {
                campaign_id: id(7),
                counts: [(6, 5), (1, 2)].into(),
                ..ProgressRecord::default()
            }],
            numbers: vec![NumberRecord { number_id: id(3), account_id: id(5), ..NumberRecord::default() }],
            ..StatusFrame::default()
        };
        let told = events(frame, TENANT, FRAME, true);
        let ids: Vec<_> = told.iter().map(|(_, event)| &event.id[30..]).collect();
        assert_eq!(ids, ["0f-0", "0f-2", "0f-3", "0f-4", "0f-5", "0f-6"]);
        assert!(told.iter().all(|(_, event)| event.duplicate));
        let abouts: Vec<_> = told.iter().map(|(about, _)| *about).collect();
        let [seven, three] = [7, 3].map(|id| Some(Uuid::from_u128(id)));
        assert_eq!((abouts[0].campaign, abouts[0].number), (seven, three));
        assert_eq!((abouts[2].kind, abouts[2].campaign, abouts[2].number), (EventKind::Reply, seven, None));
        let Some(Kind::CampaignProgress(progress)) = &told[4].1.kind else { panic!("{:?}", told[4]) };
        assert_eq!((progress.message_count, progress.status_counts[0].count), (7, 2));
        let Some(Kind::StatusChange(change)) = &told[1].1.kind else { panic!("{:?}", told[1]) };
        assert_eq!(change.campaign, name::format("tenants/*/campaigns/*", &[TENANT.0, Uuid::from_u128(8)]));
        assert_eq!(
            (change.status(), change.previous_status()),
            (MessageStatus::Delivered, MessageStatus::Sent)
        );
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
