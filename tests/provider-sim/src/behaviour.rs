//! How the simulated providers behave: every knob, with a default that is a well-behaved, fast provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All knobs. Shares are between 0 and 1, times are `[least, most]` in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// How long an answer to a send takes.
    pub answer_ms: [u64; 2],
    /// How long it takes at single providers, by their names.
    pub answer_ms_at: BTreeMap<String, [u64; 2]>,
    /// Texts that are refused for their recipient: invalid, landline, opted out.
    pub refused_share: f64,
    /// Whether a phone that replied STOP is refused from then on, as the providers themselves do. Off, so that
    /// the ledger shows every text that should not have been sent.
    pub blocks_opted_out: bool,

    /// Calls answered with 429: not accepted.
    pub rate_share: f64,
    /// What such an answer asks for in `Retry-After`, in seconds.
    pub retry_after_s: u32,
    /// Calls answered with 503.
    pub server_error_share: f64,
    /// Of these, texts that are accepted all the same.
    pub server_error_accepted_share: f64,
    /// Calls whose answer is withheld for `timeout_ms`, and then never given.
    pub timeout_share: f64,
    /// How long.
    pub timeout_ms: u64,
    /// Of these, texts that are accepted all the same.
    pub timeout_accepted_share: f64,
    /// Calls whose connection is reset instead of answered.
    pub reset_share: f64,
    /// Of these, texts that are accepted all the same.
    pub reset_accepted_share: f64,

    /// Accepted texts that end undelivered, with a code.
    pub undelivered_share: f64,
    /// Accepted texts that end failed, with a code.
    pub failed_share: f64,
    /// How long after the answer the `sent` receipt comes; and after that, the final one.
    pub receipt_ms: [u64; 2],
    /// Whether `sent` receipts are sent at all.
    pub sent_receipts: bool,
    /// Receipts that are never sent.
    pub receipt_loss_share: f64,
    /// Receipts that are sent twice.
    pub receipt_duplicate_share: f64,
    /// Texts whose final receipt comes before the `sent` one.
    pub receipt_reorder_share: f64,
    /// Whether all receipts of a text are sent, and answered, before the send itself is answered.
    pub receipt_before_answer: bool,

    /// Delivered texts that their recipient replies to.
    pub reply_share: f64,
    /// How long after the delivery.
    pub reply_ms: [u64; 2],
    /// Replies with a picture.
    pub reply_media_share: f64,
    /// Replies that are sent twice.
    pub reply_duplicate_share: f64,
    /// Replies that are STOP.
    pub stop_share: f64,
    /// STOPs that START takes back later.
    pub start_share: f64,
    /// How much later.
    pub start_ms: [u64; 2],

    /// How often a webhook is tried again after it was not answered with a 2xx.
    pub webhook_retries: u8,
    /// How long to wait before that: the first of these, doubled each time, up to the second.
    pub webhook_retry_ms: [u64; 2],
    /// How long to wait for the answer to a webhook.
    pub webhook_timeout_ms: u64,
    /// Webhooks in flight to one host at most.
    pub webhooks_in_flight: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            answer_ms: [0, 0],
            answer_ms_at: BTreeMap::new(),
            refused_share: 0.0,
            blocks_opted_out: false,
            rate_share: 0.0,
            retry_after_s: 1,
            server_error_share: 0.0,
            server_error_accepted_share: 0.5,
            timeout_share: 0.0,
            timeout_ms: 30_000,
            timeout_accepted_share: 0.5,
            reset_share: 0.0,
            reset_accepted_share: 0.5,
            undelivered_share: 0.0,
            failed_share: 0.0,
            receipt_ms: [20, 120],
            sent_receipts: true,
            receipt_loss_share: 0.0,
            receipt_duplicate_share: 0.0,
            receipt_reorder_share: 0.0,
            receipt_before_answer: false,
            reply_share: 0.0,
            reply_ms: [100, 1_000],
            reply_media_share: 0.0,
            reply_duplicate_share: 0.0,
            stop_share: 0.0,
            start_share: 0.0,
            start_ms: [1_000, 3_000],
            webhook_retries: 5,
            webhook_retry_ms: [500, 10_000],
            webhook_timeout_ms: 15_000,
            webhooks_in_flight: 64,
        }
    }
}

/// Why a change of behaviour is refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl Behaviour {
    /// This behaviour with the knobs of `patch`, a JSON object, turned.
    ///
    /// # Errors
    /// Where a knob is unknown, or turned too far.
    pub fn patched(&self, patch: serde_json::Map<String, serde_json::Value>) -> Result<Self, Unfit> {
        let unfit = |error: serde_json::Error| Unfit(error.to_string());
        let mut all = serde_json::to_value(self).map_err(unfit)?;
        all.as_object_mut().into_iter().for_each(|all| all.extend(patch.clone()));
        let patched: Self = serde_json::from_value(all).map_err(unfit)?;
        patched.check()?;
        Ok(patched)
    }

    fn check(&self) -> Result<(), Unfit> {
        let shares = [
            self.refused_share,
            self.rate_share,
            self.server_error_share,
            self.server_error_accepted_share,
            self.timeout_share,
            self.timeout_accepted_share,
            self.reset_share,
            self.reset_accepted_share,
            self.undelivered_share,
            self.failed_share,
            self.receipt_loss_share,
            self.receipt_duplicate_share,
            self.receipt_reorder_share,
            self.reply_share,
            self.reply_media_share,
            self.reply_duplicate_share,
            self.stop_share,
            self.start_share,
        ];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err(Unfit("shares are between 0 and 1".to_owned()));
        }
        let at = self.answer_ms_at.values().copied();
        let ranges = [self.answer_ms, self.receipt_ms, self.reply_ms, self.start_ms, self.webhook_retry_ms];
        if !ranges.into_iter().chain(at).all(|[least, most]| least <= most) {
            return Err(Unfit("times are [least, most]".to_owned()));
        }
        if self.webhooks_in_flight == 0 {
            return Err(Unfit("at least one webhook has to be in flight".to_owned()));
        }
        Ok(())
    }

    /// How long to wait before a webhook that failed `tries` times is tried again. `None`: no more.
    pub(crate) fn webhook_backoff_ms(&self, tries: u8) -> Option<u64> {
        let [first, most] = self.webhook_retry_ms;
        let doublings = u32::from(tries.saturating_sub(1)).min(20);
        (tries <= self.webhook_retries).then(|| first.saturating_mul(1 << doublings).min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(patch: serde_json::Value) -> Result<Behaviour, Unfit> {
        let patch = patch.as_object().expect("an object").clone();
        Behaviour::default().patched(patch)
    }

    #[test]
    fn a_patch_turns_its_own_knobs_only() {
        let turned = patched(serde_json::json!({"rate_share": 0.25, "answer_ms": [1, 2]})).expect("fits");
        let expected = Behaviour { rate_share: 0.25, answer_ms: [1, 2], ..Behaviour::default() };
        assert_eq!(turned, expected);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for patch in [
            serde_json::json!({"no_such_knob": 1}),
            serde_json::json!({"rate_share": 1.5}),
            serde_json::json!({"answer_ms": [2, 1]}),
            serde_json::json!({"webhooks_in_flight": 0}),
        ] {
            assert!(patched(patch.clone()).is_err(), "{patch}");
        }
    }

    #[test]
    fn waits_grow_up_to_a_limit_and_end() {
        let behaviour = Behaviour::default();
        let waits: Vec<_> = (1..=6).map(|tries| behaviour.webhook_backoff_ms(tries)).collect();
        assert_eq!(waits, [Some(500), Some(1_000), Some(2_000), Some(4_000), Some(8_000), None]);
    }
}
