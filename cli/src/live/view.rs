//! What the live view draws: a bar for each status that has messages, then rate, time left and errors.

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use muster_proto::v1::{Campaign, CampaignReport, ErrorClass, MessageStatus};

use super::pace::Pace;
use crate::show::value::safe;

/// Statuses in the order of a message's life.
const STATUSES: [MessageStatus; 12] = [
    MessageStatus::Created,
    MessageStatus::Queued,
    MessageStatus::Ordered,
    MessageStatus::Claimed,
    MessageStatus::Sent,
    MessageStatus::Delivered,
    MessageStatus::Undelivered,
    MessageStatus::Failed,
    MessageStatus::Unconfirmed,
    MessageStatus::Canceled,
    MessageStatus::Suppressed,
    MessageStatus::Expired,
];

/// The bars.
#[derive(Debug)]
pub(super) struct View {
    bars: MultiProgress,
    head: ProgressBar,
    statuses: Vec<(MessageStatus, ProgressBar)>,
    foot: ProgressBar,
}

impl View {
    /// Bars that show where somebody looks.
    pub(super) fn new(is_live: bool) -> Self {
        let target = if is_live { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let line = |bars: &MultiProgress| bars.add(ProgressBar::new(0).with_style(style("{msg}")));
        let (head, foot) = (line(&bars), line(&bars));
        Self { bars, head, statuses: Vec::new(), foot }
    }

    /// Draws what is so now.
    pub(super) fn draw(&mut self, campaign: &Campaign, report: &CampaignReport, pace: &Pace) {
        self.head.set_message(head(campaign, report));
        for status in STATUSES {
            let count = count(report, status);
            let Some(bar) = self.bar(status, count) else { continue };
            bar.set_length(u64::try_from(report.message_count).unwrap_or_default());
            bar.set_position(u64::try_from(count).unwrap_or_default());
        }
        self.foot.set_message(foot(report, pace).join("\n"));
    }

    /// The bar of a status; made when the first message is there, in the order of a message's life.
    fn bar(&mut self, status: MessageStatus, count: i64) -> Option<&ProgressBar> {
        let place = |status| STATUSES.iter().position(|known| *known == status);
        if count > 0 && !self.statuses.iter().any(|(known, _)| *known == status) {
            let at = self.statuses.iter().filter(|(known, _)| place(*known) < place(status)).count();
            let bar = ProgressBar::new(0).with_style(style("{prefix:>12} {bar:40} {pos:>9} {percent:>3}%"));
            bar.set_prefix(word(status.as_str_name(), "MESSAGE_STATUS_"));
            let bar = self.bars.insert(at + 1, bar);
            self.statuses.insert(at, (status, bar));
        }
        self.statuses.iter().find(|(known, _)| *known == status).map(|(_, bar)| bar)
    }

    /// Leaves what was drawn last.
    pub(super) fn finish(self) {
        for bar in [self.head, self.foot].into_iter().chain(self.statuses.into_iter().map(|(_, bar)| bar)) {
            bar.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// All of it on one line, for where nothing can be drawn again.
pub(super) fn line(campaign: &Campaign, report: &CampaignReport, pace: &Pace) -> String {
    let counts =
        STATUSES.iter().map(|status| (status, count(report, *status))).filter(|(_, count)| *count > 0);
    let counts =
        counts.map(|(status, count)| format!("{} {count}", word(status.as_str_name(), "MESSAGE_STATUS_")));
    let parts = std::iter::once(head(campaign, report)).chain(counts).chain(foot(report, pace));
    parts.collect::<Vec<_>>().join("; ")
}

fn head(campaign: &Campaign, report: &CampaignReport) -> String {
    let state = word(campaign.state().as_str_name(), "CAMPAIGN_STATE_");
    let planned = if campaign.planned { "" } else { ", being planned" };
    format!("{}: {state}{planned}, {} messages", safe(&campaign.display_name), report.message_count)
}

fn foot(report: &CampaignReport, pace: &Pace) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(rate) = pace.rate() {
        let left = pace.eta_s().map(|seconds| HumanDuration(std::time::Duration::from_secs(seconds)));
        lines.push(format!(
            "{rate:.1} a second{}",
            left.map_or(String::new(), |left| format!(", {left} left"))
        ));
    }
    let mut classes: Vec<(ErrorClass, i64)> = Vec::new();
    for error in &report.error_counts {
        match classes.iter_mut().find(|(class, _)| *class == error.error_class()) {
            Some((_, count)) => *count += error.count,
            None => classes.push((error.error_class(), error.count)),
        }
    }
    classes.sort_by_key(|(_, count)| -count);
    if !classes.is_empty() {
        let words = classes
            .iter()
            .map(|(class, count)| format!("{} {count}", word(class.as_str_name(), "ERROR_CLASS_")));
        lines.push(format!("errors: {}", words.collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn count(report: &CampaignReport, status: MessageStatus) -> i64 {
    report.status_counts.iter().filter(|count| count.status() == status).map(|count| count.count).sum()
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', "-")
}
