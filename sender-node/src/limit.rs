//! How many calls one provider account may have open, by what the provider's answers make it seem: as TCP does it
//! (slow start, then additive increase, multiplicative decrease; RFC 5681), with slow answers as a sign of congestion
//! beside lost ones. And the circuit: while nothing is answered, nothing is asked, but for a trial now and then. Pure:
//! time is an argument.

use std::time::{Duration, Instant};

/// Calls at once when nothing is known of the provider.
const FIRST: f64 = 32.0;
/// An answer is slow that takes longer than this, and...
const SLOW: Duration = Duration::from_millis(500);
/// ...this many times as long as the fastest.
const SLOW_TIMES: u32 = 4;
/// How long the fastest answer counts: what has become slower for good is the new measure after that.
const FASTEST_AGE: Duration = Duration::from_secs(60);
/// What is left after a call was lost or refused for its rate, and after a slow one.
const LOST_LEAVES: f64 = 0.5;
const SLOW_LEAVES: f64 = 0.9;
/// Calls lost in a row that open the circuit: a provider that is up loses a few in a hundred at worst.
const LOST_OPENS: u32 = 8;
/// For how long the circuit is open at first, and at most. It doubles with each trial that is lost.
const OPEN_FIRST: Duration = Duration::from_secs(2);
const OPEN_MAX: Duration = Duration::from_secs(30);

/// What became of a call, as far as it says how the provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// It was answered, whatever the answer.
    Answered,
    /// It was refused because there were too many.
    TooFast,
    /// It was not answered, or not by the provider's own machinery: no connection, a timeout, a 5xx.
    Lost,
}

/// The limit of one account.
#[derive(Debug)]
pub(crate) struct Limit {
    limit: f64,
    max: f64,
    /// Grow by one with every answer, until the first sign of congestion.
    slow_start: bool,
    fastest: Option<(Duration, Instant)>,
    /// Signs of congestion count once in the time of a call: those that were open together say the same.
    deaf_until: Option<Instant>,
    lost_in_a_row: u32,
    open_for: Duration,
    open_until: Option<Instant>,
}

impl Limit {
    /// A limit that never goes above `max`.
    pub(crate) fn new(max: usize) -> Self {
        let max = u32::try_from(max).map_or(f64::from(u32::MAX), f64::from).max(1.0);
        Self {
            limit: FIRST.min(max),
            max,
            slow_start: true,
            fastest: None,
            deaf_until: None,
            lost_in_a_row: 0,
            open_for: OPEN_FIRST,
            open_until: None,
        }
    }

    /// Calls that may be open at once; 1 at least.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `max`")]
    pub(crate) fn calls(&self) -> usize {
        self.limit as usize
    }

    /// Whether the circuit is open: from too many lost calls to the first answer.
    pub(crate) fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    /// How long no call is to be made yet. `None`: the circuit is closed, or it is time for a trial.
    pub(crate) fn open_for(&self, now: Instant) -> Option<Duration> {
        self.open_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Takes in what became of a call that took `took`, while `open` calls were open, itself among them.
    pub(crate) fn went(&mut self, went: Went, took: Duration, open: usize, now: Instant) {
        match went {
            Went::Answered => {
                self.lost_in_a_row = 0;
                self.open_until = None;
                self.open_for = OPEN_FIRST;
                if self.is_slow(took, now) {
                    self.shrink(SLOW_LEAVES, took, now);
                } else if open * 2 >= self.calls() {
                    // A limit that is not used says nothing about whether more would go.
                    let step = if self.slow_start { 1.0 } else { 1.0 / self.limit };
                    self.limit = (self.limit + step).min(self.max);
                }
            }
            Went::TooFast => {
                self.lost_in_a_row = 0;
                self.shrink(LOST_LEAVES, took, now);
            }
            Went::Lost => {
                self.lost_in_a_row += 1;
                self.shrink(LOST_LEAVES, took, now);
                if self.lost_in_a_row >= LOST_OPENS && self.open_for(now).is_none() {
                    self.open_until = Some(now + self.open_for);
                    self.open_for = (self.open_for * 2).min(OPEN_MAX);
                    // The trial afterwards is one call.
                    self.limit = 1.0;
                    self.slow_start = true;
                }
            }
        }
    }

    fn is_slow(&mut self, took: Duration, now: Instant) -> bool {
        match self.fastest {
            Some((fastest, at)) if fastest <= took && now.saturating_duration_since(at) < FASTEST_AGE => {
                took > SLOW.max(fastest * SLOW_TIMES)
            }
            _ => {
                self.fastest = Some((took, now));
                false
            }
        }
    }

    fn shrink(&mut self, leaves: f64, took: Duration, now: Instant) {
        if self.deaf_until.is_some_and(|until| now < until) {
            return;
        }
        self.deaf_until = Some(now + took);
        self.slow_start = false;
        self.limit = (self.limit * leaves).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use muster_runtime::clock;

    use super::*;

    const QUICK: Duration = Duration::from_millis(100);

    /// Plays rounds of as many calls as the limit lets, each of which goes and takes what `of` says of their number.
    fn play(limit: &mut Limit, rounds: u32, now: &mut Instant, of: impl Fn(usize) -> (Went, Duration)) {
        for _ in 0..rounds {
            let calls = limit.calls();
            let (went, took) = of(calls);
            *now += took;
            for _ in 0..calls {
                limit.went(went, took, calls, *now);
            }
        }
    }

    #[test]
    fn grows_to_the_maximum_while_answers_are_quick() {
        let (mut limit, mut now) = (Limit::new(512), clock::instant());
        play(&mut limit, 5, &mut now, |_| (Went::Answered, QUICK));
        assert_eq!(limit.calls(), 512);
    }

    #[test]
    fn does_not_grow_while_it_is_not_used() {
        let mut limit = Limit::new(512);
        for _ in 0..1_000 {
            limit.went(Went::Answered, QUICK, 3, clock::instant());
        }
        assert_eq!(limit.calls(), 32);
    }

    #[test]
    fn settles_near_what_the_provider_takes() {
        // Beyond 100 calls at once the provider answers 429.
        let (mut limit, mut now) = (Limit::new(1_000), clock::instant());
        let provider = |calls| (if calls > 100 { Went::TooFast } else { Went::Answered }, QUICK);
        play(&mut limit, 200, &mut now, provider);
        assert!((50..=101).contains(&limit.calls()), "{}", limit.calls());
    }

    #[test]
    fn shrinks_where_answers_become_slow() {
        // The provider does 400 calls a second, whatever is asked at once.
        let (mut limit, mut now) = (Limit::new(1_000), clock::instant());
        let provider =
            |calls: usize| (Went::Answered, QUICK.max(Duration::from_micros(calls as u64 * 2_500)));
        play(&mut limit, 300, &mut now, provider);
        assert!(limit.calls() < 400, "{}", limit.calls());
        assert!(limit.calls() > 40, "{}", limit.calls());
    }

    #[test]
    fn opens_after_calls_lost_in_a_row_and_tries_one_call_then() {
        let (mut limit, now) = (Limit::new(512), clock::instant());
        for _ in 1..LOST_OPENS {
            limit.went(Went::Lost, QUICK, 8, now);
        }
        assert_eq!(limit.open_for(now), None);
        limit.went(Went::Answered, QUICK, 8, now);
        for _ in 1..LOST_OPENS {
            limit.went(Went::Lost, QUICK, 8, now);
        }
        assert_eq!(limit.open_for(now), None, "an answer in between means that it is up");
        limit.went(Went::Lost, QUICK, 8, now);
        assert_eq!((limit.open_for(now), limit.calls()), (Some(OPEN_FIRST), 1));
        // Those that were open already make it no worse.
        limit.went(Went::Lost, QUICK, 8, now);
        assert_eq!(limit.open_for(now), Some(OPEN_FIRST));
        let later = now + OPEN_FIRST;
        assert_eq!((limit.is_open(), limit.open_for(later)), (true, None));
        limit.went(Went::Lost, QUICK, 1, later);
        assert_eq!(limit.open_for(later), Some(OPEN_FIRST * 2));
        limit.went(Went::Answered, QUICK, 1, later + OPEN_FIRST * 2);
        assert_eq!((limit.is_open(), limit.open_for(later), limit.calls()), (false, None, 2));
    }
}
