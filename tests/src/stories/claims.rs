//! Which node claimed for which number, and when: by the messages' own history, after the story.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use muster_proto::v1::MessageStatus;

use crate::stack::Stack;

/// Every claim that was granted, in order.
const CLAIMS: &str = "
SELECT DISTINCT m.number_id::text, e.time, e.cause
FROM message_events e JOIN messages m ON m.id = e.message_id
WHERE e.status = $1 AND m.number_id IS NOT NULL
ORDER BY e.time";

/// One claim.
struct Claim {
    time: Timestamp,
    /// As histories have it: `node:` and its name.
    node: String,
}

/// All claims of a story, by number and in order.
pub(super) struct Claims(HashMap<String, Vec<Claim>>);

/// A node that was away for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away<'a> {
    pub(super) node: &'a str,
    pub(super) from: Timestamp,
    /// When it was back.
    pub(super) until: Timestamp,
}

impl Claims {
    pub(super) async fn read(stack: &Stack) -> Result<Self> {
        let claimed = i16::try_from(i32::from(MessageStatus::Claimed))?;
        let mut claims: HashMap<String, Vec<Claim>> = HashMap::new();
        for row in stack.sql().await?.query(CLAIMS, &[&claimed]).await? {
            claims.entry(row.get(0)).or_default().push(Claim { time: row.get(1), node: row.get(2) });
        }
        Ok(Self(claims))
    }

    /// For each number that was the node's: from when the node was gone until the next claim, by another node or by
    /// itself once it was back. Numbers that had nothing left to send are left out.
    pub(super) fn taken_over(&self, away: Away<'_>) -> Vec<Duration> {
        let cause = format!("node:{}", away.node);
        let of_number = |claims: &Vec<Claim>| {
            let last = claims.iter().rfind(|claim| claim.time < away.from)?;
            let mut later = claims
                .iter()
                .filter(|claim| claim.time >= away.from && (claim.node != cause || claim.time >= away.until));
            let next = later.next().filter(|_| last.node == cause)?;
            Some(between(away.from, next.time))
        };
        let mut took: Vec<Duration> = self.0.values().filter_map(of_number).collect();
        took.sort_unstable();
        took
    }

    /// The longest that each number went without a claim from `begin` to its own last claim, so while it had
    /// something to send; in order.
    pub(super) fn gaps(&self, begin: Timestamp) -> Vec<Duration> {
        let of_number = |claims: &Vec<Claim>| {
            let times: Vec<_> = claims.iter().map(|claim| claim.time).filter(|time| *time >= begin).collect();
            times.windows(2).map(|pair| between(pair[0], pair[1])).max()
        };
        let mut gaps: Vec<Duration> = self.0.values().filter_map(of_number).collect();
        gaps.sort_unstable();
        gaps
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// Of durations in order: the one that so many in a hundred do not exceed, in milliseconds.
pub(super) fn percentile_ms(sorted: &[Duration], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().map(millis).unwrap_or_default()
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
