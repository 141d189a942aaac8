//! How fast a campaign goes, and how long it will take: from the counts of the last seconds.

use std::collections::VecDeque;

use muster_proto::v1::{CampaignReport, MessageStatus};

/// How far back the rate looks, in seconds.
const WINDOW_S: f64 = 15.0;

/// Whether a message with this status still has to go out.
pub(super) fn is_waiting(status: MessageStatus) -> bool {
    match status {
        MessageStatus::Queued | MessageStatus::Ordered | MessageStatus::Claimed => true,
        // What nobody has asked for yet is a texter's to decide, at a texter's pace.
        MessageStatus::Unspecified
        | MessageStatus::Created
        | MessageStatus::Sent
        | MessageStatus::Delivered
        | MessageStatus::Undelivered
        | MessageStatus::Failed
        | MessageStatus::Unconfirmed
        | MessageStatus::Canceled
        | MessageStatus::Suppressed
        | MessageStatus::Expired => false,
    }
}

/// The counts of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When, in seconds; how many had gone out.
    samples: VecDeque<(f64, i64)>,
    waiting: i64,
}

impl Pace {
    /// Notes what a report says.
    pub(super) fn note(&mut self, report: &CampaignReport) {
        let Some(time) = &report.read_time else { return };
        let now = time.seconds as f64 + f64::from(time.nanos) / 1e9;
        let total = |wanted: &dyn Fn(MessageStatus) -> bool| {
            let counts = report.status_counts.iter().filter(|count| wanted(count.status()));
            counts.map(|count| count.count).sum::<i64>()
        };
        self.waiting = total(&is_waiting);
        let gone = total(&|status| !is_waiting(status) && status != MessageStatus::Created);
        while self.samples.front().is_some_and(|(then, _)| now - then > WINDOW_S) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, gone));
    }

    /// Texts a second; nothing until two reports are a moment apart.
    pub(super) fn rate(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.samples.front()?, self.samples.back()?);
        let seconds = last - first;
        (seconds > 0.1).then(|| (after - before) as f64 / seconds)
    }

    /// Seconds until all that waits has gone out at this rate.
    pub(super) fn eta_s(&self) -> Option<u64> {
        let rate = self.rate().filter(|rate| *rate > 0.0)?;
        (self.waiting > 0).then(|| (self.waiting as f64 / rate).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::StatusCount;
    use prost_types::Timestamp;

    use super::*;

    fn report(seconds: i64, queued: i64, delivered: i64) -> CampaignReport {
        let counts = [(MessageStatus::Queued, queued), (MessageStatus::Delivered, delivered)];
        let count = |(status, count): (MessageStatus, i64)| StatusCount { status: status.into(), count };
        let read_time = Some(Timestamp { seconds, nanos: 0 });
        CampaignReport { status_counts: counts.map(count).to_vec(), read_time, ..CampaignReport::default() }
    }

    #[test]
    fn the_rate_is_of_the_last_seconds() {
        let mut pace = Pace::default();
        pace.note(&report(0, 1_000, 0));
        assert_eq!((pace.rate(), pace.eta_s()), (None, None));
        pace.note(&report(10, 900, 100));
        assert_eq!((pace.rate(), pace.eta_s()), (Some(10.0), Some(90)));
        // The first report is too old by now: what counts is from the second on.
        pace.note(&report(20, 500, 500));
        assert_eq!((pace.rate(), pace.eta_s()), (Some(40.0), Some(13)));
    }

    #[test]
    fn nothing_is_promised_while_nothing_moves() {
        let mut pace = Pace::default();
        pace.note(&report(0, 7, 1));
        pace.note(&report(5, 7, 1));
        assert_eq!((pace.rate(), pace.eta_s()), (Some(0.0), None));
    }
}
