//! Pacing: how much each number may send now, in segments, and each tenant that has a quota. Pure: time is an argument.

use std::collections::HashMap;

use uuid::Uuid;

/// The most that a number saves up while it has nothing to send, in seconds of its rate: enough to bridge the time
/// from one round of the dispatcher to the next, and no burst that a carrier would notice.
const SAVED_S: f64 = 0.25;

/// Token buckets, one a number, and one for each tenant with a quota: their ids are never the same. A number that sent more than it had (a text of many segments) is in debt, and
/// waits until the debt is paid: so rates below one segment a second work too.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    buckets: HashMap<Uuid, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    rate: f64,
    tokens: f64,
    filled_us: i64,
}

impl Pace {
    /// Sets a number's rate, in segments a second. A number seen for the first time begins with one segment.
    pub(crate) fn set_rate(&mut self, number: Uuid, rate: f64, now_us: i64) {
        let bucket = self.buckets.entry(number).or_insert(Bucket { rate, tokens: 1.0, filled_us: now_us });
        bucket.fill(now_us);
        bucket.rate = rate;
    }

    /// Forgets numbers that `keep` does not know.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Uuid) -> bool) {
        self.buckets.retain(|number, _| keep(number));
    }

    /// How many segments a number may begin to send now; 0 while it must wait.
    pub(crate) fn budget(&mut self, number: Uuid, now_us: i64) -> i32 {
        let Some(bucket) = self.buckets.get_mut(&number) else { return 0 };
        bucket.fill(now_us);
        #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i32 it can")]
        let whole = bucket.tokens.floor() as i32;
        whole.max(0)
    }

    /// Takes what was sent.
    pub(crate) fn spend(&mut self, number: Uuid, segments: i16) {
        if let Some(bucket) = self.buckets.get_mut(&number) {
            bucket.tokens -= f64::from(segments);
        }
    }
}

impl Bucket {
    fn fill(&mut self, now_us: i64) {
        #[expect(clippy::cast_precision_loss, reason = "a span of microseconds is far below 2^52")]
        let elapsed_s = (now_us - self.filled_us).max(0) as f64 / 1e6;
        let full = (self.rate * SAVED_S).max(1.0);
        self.tokens = (self.tokens + elapsed_s * self.rate).min(full);
        self.filled_us = now_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks every 50 ms for `seconds`, and sends texts of `segments` as fast as it may. Returns segments sent.
    fn sent(rate: f64, segments: i16, seconds: i64) -> f64 {
        let mut pace = Pace::default();
        let number = Uuid::nil();
        pace.set_rate(number, rate, 0);
        let mut total = 0.0;
        for round in 0..seconds * 20 {
            let budget = pace.budget(number, round * 50_000);
            let mut begun = 0;
            while begun < budget {
                pace.spend(number, segments);
                begun += i32::from(segments);
                total += f64::from(segments);
            }
        }
        total
    }

    #[test]
    fn a_number_sends_at_its_rate_and_never_above_it() {
        for (rate, segments) in [(0.2, 1), (1.0, 1), (1.0, 3), (30.0, 2), (1000.0, 1)] {
            let seconds = 200;
            let allowed = rate * 200.0;
            let total = sent(rate, segments, seconds);
            let burst = (rate * SAVED_S).max(1.0) + f64::from(segments);
            assert!(total <= allowed + burst, "{rate}/s, {segments} segments: {total} of {allowed}");
            assert!(total >= allowed * 0.97 - burst, "{rate}/s, {segments} segments: {total} of {allowed}");
        }
    }

    #[test]
    fn a_number_that_rested_does_not_burst() {
        let mut pace = Pace::default();
        pace.set_rate(Uuid::nil(), 10.0, 0);
        assert_eq!(pace.budget(Uuid::nil(), 3_600_000_000), 2);
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let mut pace = Pace::default();
        pace.set_rate(Uuid::nil(), 10.0, 1_000_000);
        pace.spend(Uuid::nil(), 1);
        assert_eq!(pace.budget(Uuid::nil(), 0), 0);
    }
}
