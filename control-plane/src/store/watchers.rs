//! What watchers are told: records, in frames of one tenant each, in the outbox. Whoever changes something that watchers
//! hear of tells it here, in the transaction of the change; the relay publishes it after the commit.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use muster_proto::internal::v1::{
    NumberRecord, OptOutRecord, ProgressRecord, ReplyRecord, StatusFrame, StatusRecord,
};
use muster_runtime::{clock, frame};
use prost::Message as _;
use uuid::Uuid;

use crate::db::Result;
use crate::store::outbox::{StatusFrameRow, status_frames_insert};

/// The size of a frame that is full, in bytes. JetStream takes four times as much.
const FRAME_BYTES_MAX: usize = 256 * 1024;
/// What a record costs in a frame beyond itself, at most.
const RECORD_FRAMING: usize = 8;

/// Something that watchers are told.
pub(crate) enum Record {
    Change(StatusRecord),
    Reply(ReplyRecord),
    OptOut(OptOutRecord),
    Progress(ProgressRecord),
    Number(NumberRecord),
}

/// Why somebody opted out or in, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum OptOutCause {
    Reply = 1,
    Provider = 2,
}

impl Record {
    fn bytes(&self) -> usize {
        RECORD_FRAMING
            + match self {
                Self::Change(record) => record.encoded_len(),
                Self::Reply(record) => record.encoded_len(),
                Self::OptOut(record) => record.encoded_len(),
                Self::Progress(record) => record.encoded_len(),
                Self::Number(record) => record.encoded_len(),
            }
    }

    fn put(self, frame: &mut StatusFrame) {
        match self {
            Self::Change(record) => frame.changes.push(record),
            Self::Reply(record) => frame.replies.push(record),
            Self::OptOut(record) => frame.opt_outs.push(record),
            Self::Progress(record) => frame.progress.push(record),
            Self::Number(record) => frame.numbers.push(record),
        }
    }
}

/// Tells each tenant's watchers its records, in their order, once this transaction is committed.
pub(crate) async fn tell(
    tx: &Transaction<'_>,
    records: impl IntoIterator<Item = (Uuid, Record)>,
) -> Result<()> {
    status_frames_insert(tx, &frames(records)).await
}

/// The records in frames, none larger than [`FRAME_BYTES_MAX`] but for one record alone.
fn frames(records: impl IntoIterator<Item = (Uuid, Record)>) -> Vec<StatusFrameRow> {
    let mut full = Vec::new();
    let mut filling: HashMap<Uuid, (StatusFrame, usize)> = HashMap::new();
    for (tenant, record) in records {
        let (frame, bytes) = filling.entry(tenant).or_default();
        let more = record.bytes();
        if *bytes > 0 && *bytes + more > FRAME_BYTES_MAX {
            full.push((tenant, std::mem::take(frame)));
            *bytes = 0;
        }
        *bytes += more;
        record.put(frame);
    }
    full.extend(filling.into_iter().map(|(tenant, (frame, _))| (tenant, frame)));
    full.into_iter().map(|(tenant, frame)| row(tenant, frame)).collect()
}

fn row(tenant: Uuid, frame: StatusFrame) -> StatusFrameRow {
    let id = clock::new_id();
    let payload = StatusFrame { frame_id: frame::id_bytes(id), ..frame }.encode_to_vec();
    StatusFrameRow { id, tenant, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(time_us: i64) -> Record {
        Record::Change(StatusRecord { time_us, error_code: "x".repeat(1_000), ..StatusRecord::default() })
    }

    #[test]
    fn records_are_told_to_their_tenant_in_order_in_frames_that_are_not_too_large() {
        let tenants = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let records = (0..1_000).map(|n| (tenants[usize::from(n % 4 == 0)], change(n)));
        let mut seen: HashMap<Uuid, Vec<i64>> = HashMap::new();
        for row in frames(records) {
            assert!(row.payload.len() <= FRAME_BYTES_MAX + 32, "{}", row.payload.len());
            let frame = StatusFrame::decode(&row.payload[..]).expect("a frame");
            assert_eq!(frame.frame_id, frame::id_bytes(row.id));
            seen.entry(row.tenant).or_default().extend(frame.changes.iter().map(|change| change.time_us));
        }
        for (at, tenant) in tenants.iter().enumerate() {
            let wanted: Vec<i64> = (0..1_000).filter(|n| usize::from(n % 4 == 0) == at).collect();
            assert_eq!(seen.get(tenant), Some(&wanted));
        }
    }

    #[test]
    fn a_record_that_is_too_large_goes_alone() {
        let huge = Record::Reply(ReplyRecord { body: "x".repeat(FRAME_BYTES_MAX), ..ReplyRecord::default() });
        assert_eq!(frames([change(1), huge, change(2)].map(|record| (Uuid::nil(), record))).len(), 3);
        assert!(frames([]).is_empty());
    }
}
