//! The alarm: too many calls end UNCONFIRMED. Each of them is a text of which nobody can say whether it was sent, so a rate
//! of them that rises is the first thing that an operator should hear of. It counts what this process records; the
//! outcomes of all calls are recorded by one process at a time, the projector's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::store::transitions::tally;
use crate::work::Context;

/// How often it looks.
const TIMER: Duration = Duration::from_secs(10);
/// How many looks make the time that the share is taken over: five minutes.
const LOOKS: usize = 30;
/// Fewer than this are no rate.
const UNCONFIRMED_MIN: u64 = 20;

/// Runs the alarm.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut looks = VecDeque::from([tally()]);
    let mut sounding = false;
    loop {
        tokio::time::sleep(TIMER).await;
        looks.push_back(tally());
        if looks.len() > LOOKS {
            looks.pop_front();
        }
        let (Some(first), Some(last)) = (looks.front(), looks.back()) else { continue };
        let (ended, unconfirmed) = (last.ended - first.ended, last.unconfirmed - first.unconfirmed);
        let loud = is_alarming(ended, unconfirmed, context.unconfirmed_alarm_share);
        if loud {
            tracing::error!(unconfirmed, ended, "too many calls of the last minutes ended UNCONFIRMED");
        } else if sounding {
            tracing::info!(unconfirmed, ended, "calls end as they should again");
        }
        sounding = loud;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of minutes are far below 2^52")]
fn is_alarming(ended: u64, unconfirmed: u64, share: f64) -> bool {
    unconfirmed >= UNCONFIRMED_MIN && unconfirmed as f64 > share * ended as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_above_the_threshold_is_alarming_once_there_are_enough() {
        assert!(!is_alarming(0, 0, 0.01));
        assert!(!is_alarming(19, 19, 0.01));
        assert!(is_alarming(20, 20, 0.01));
        assert!(!is_alarming(2_000, 20, 0.01));
        assert!(is_alarming(1_999, 20, 0.01));
    }
}
