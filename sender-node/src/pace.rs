//! Pacing: when each ordered message may be sent, so that its number keeps to its rate from one text to the next, with
//! no burst. In segments; rates below one a second work too. Pure: time is an argument.
//!
//! A message is paced twice: when its order comes, so that it is claimed when its time has come and not before; and when
//! its call begins, because a claim that took long must not bring two calls close together.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How long a number is remembered after its last text has had its time.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The longest that one text keeps its number busy.
const SPAN_MAX: Duration = Duration::from_hours(24);
/// Numbers in memory before those that need not be remembered are looked for.
const SWEEP_FROM: usize = 1_024;

/// One text as far as its number's pace goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Paced {
    /// The number that it is sent from.
    pub(crate) number: Uuid,
    /// Its segments.
    pub(crate) segments: u32,
    /// The number's rate, in segments a second. 0: the number is not paced.
    pub(crate) rate: f64,
}

/// When each number may send next.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    free: HashMap<Uuid, Instant>,
    /// How many numbers there are when they are looked through next.
    sweep_at: usize,
}

impl Pace {
    /// When a text may be claimed; its number is busy with it from then on. A number that this node has not known lately
    /// may have been another node's a moment ago, so it begins as if it had just sent one segment.
    pub(crate) fn claim(&mut self, text: Paced, now: Instant) -> Instant {
        let begin = self.free.get(&text.number).map_or(now + span(1, text.rate), |free| (*free).max(now));
        self.reserve(text, begin, now)
    }

    /// When a text's call may begin; its number is busy with it from then on. `None` where that is not before `end`: the
    /// text is not sent then, and its number stays free for others.
    pub(crate) fn call(&mut self, text: Paced, now: Instant, end: Instant) -> Option<Instant> {
        let begin = self.free.get(&text.number).map_or(now, |free| (*free).max(now));
        (begin < end).then(|| self.reserve(text, begin, now))
    }

    fn reserve(&mut self, text: Paced, begin: Instant, now: Instant) -> Instant {
        self.sweep(now);
        self.free.insert(text.number, begin + span(text.segments.max(1), text.rate));
        begin
    }

    fn sweep(&mut self, now: Instant) {
        if self.free.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.free.retain(|_, free| *free + REMEMBERED > now);
            self.sweep_at = self.free.len() * 2;
        }
    }
}

/// How long a number is busy with `segments`. A rate that is none means that the number is not paced.
fn span(segments: u32, rate: f64) -> Duration {
    let span = if rate > 0.0 { f64::from(segments) / rate } else { 0.0 };
    Duration::try_from_secs_f64(span).unwrap_or(SPAN_MAX).min(SPAN_MAX)
}

#[cfg(test)]
mod tests {
    use muster_runtime::clock;
    use proptest::prelude::*;

    use super::*;

    fn text(number: u128, segments: u32, rate: f64) -> Paced {
        Paced { number: Uuid::from_u128(number), segments, rate }
    }

    proptest! {
        #[test]
        fn a_number_never_sends_faster_than_its_rate(
            rate in prop_oneof![0.05f64..1.0, 1.0f64..200.0],
            texts in prop::collection::vec((1u32..8, 0u64..3_000), 2..60),
        ) {
            let mut pace = Pace::default();
            let mut now = clock::instant();
            let mut last: Option<(Instant, u32)> = None;
            for (segments, after_ms) in texts {
                now += Duration::from_millis(after_ms);
                let begin = pace.call(text(0, segments, rate), now, now + SPAN_MAX).expect("in a day");
                prop_assert!(begin >= now);
                if let Some((before, segments)) = last {
                    let apart = begin.duration_since(before).as_secs_f64();
                    prop_assert!(apart >= f64::from(segments) / rate - 1e-6, "{apart} s apart");
                }
                last = Some((begin, segments));
            }
        }
    }

    #[test]
    fn texts_that_come_together_are_sent_one_after_the_other() {
        let (mut pace, now) = (Pace::default(), clock::instant());
        let begins: Vec<u128> = [1, 3, 1, 1]
            .map(|segments| pace.claim(text(0, segments, 2.0), now).duration_since(now).as_millis())
            .to_vec();
        assert_eq!(begins, [500, 1_000, 2_500, 3_000]);
    }

    #[test]
    fn numbers_do_not_wait_for_each_other_and_one_without_a_rate_does_not_wait() {
        let (mut pace, now) = (Pace::default(), clock::instant());
        pace.claim(text(0, 100, 0.1), now);
        assert_eq!(pace.claim(text(1, 1, 100.0), now), now + Duration::from_millis(10));
        assert_eq!(pace.claim(text(2, 1, 0.0), now), now);
        assert!(pace.claim(text(3, u32::MAX, f64::MIN_POSITIVE), now) > now);
        assert_eq!(pace.call(text(4, 1, 0.1), now, now + SPAN_MAX), Some(now));
    }

    #[test]
    fn a_call_that_would_begin_too_late_takes_nobodys_time() {
        let (mut pace, now) = (Pace::default(), clock::instant());
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(pace.call(text(0, 1, 0.1), now, later(10)), Some(now));
        assert_eq!(pace.call(text(0, 1, 0.1), now, later(10)), None);
        assert_eq!(pace.call(text(0, 1, 0.1), later(1), later(11)), Some(later(10)));
        assert_eq!(pace.call(text(1, 1, 0.1), now, now), None, "a number that is free");
    }

    #[test]
    fn numbers_that_rested_are_forgotten() {
        let (mut pace, now) = (Pace::default(), clock::instant());
        for number in 0..5_000 {
            pace.claim(text(number, 1, 100.0), now + REMEMBERED * 2 * u32::from(number >= 2_000));
        }
        assert!(pace.free.len() < 4_500, "{}", pace.free.len());
    }
}
