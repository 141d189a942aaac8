//! Progress: tells watchers where campaigns are, at most once a second each.
//!
//! Whoever commits a change of a campaign's counts or state notes the campaign, in memory (see `Nudges`). Once a second
//! what was noted is read in one snapshot and told. So the last change is always told, by the process that made it. One
//! more look follows, after a second in which nothing was noted: a call that was given up in the middle of its commit notes
//! before PostgreSQL is done. A process that begins does not know what another one, or it itself, had noted and not told
//! when it died; so it tells of all campaigns that may have changed lately. Each tells of what it changed; that two tell at
//! once is harmless, see [`progress_read`].

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use muster_proto::internal::v1::ProgressRecord;
use muster_runtime::frame;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::inquiries::SETTLED_AFTER;
use crate::store::progress::{Progress, campaigns_to_tell, progress_read};
use crate::store::watchers::{Record, tell};
use crate::work::Context;

/// How often a campaign is told of at most.
const TIMER: Duration = Duration::from_secs(1);
/// Campaigns in one transaction.
const CAMPAIGNS: usize = 500;

/// Runs the teller of progress.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut begun = Some(Uuid::nil());
    let mut told: HashMap<Uuid, Progress> = HashMap::new();
    let mut timer = tokio::time::interval(TIMER);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Some(after) = begun {
            begun = recall(&context, after).await?;
        }
        let noted = context.nudges.take_campaigns();
        let looks = std::mem::take(&mut told);
        let due: BTreeSet<Uuid> = noted.iter().chain(looks.keys()).copied().collect();
        let due: Vec<Uuid> = due.into_iter().collect();
        for batch in due.chunks(CAMPAIGNS) {
            let now = look(&context, batch, &looks, &noted).await.inspect_err(|_| {
                // Not lost: looked at when this begins again.
                context.nudges.tell_of(due.iter().copied());
            })?;
            told.extend(now.into_iter().map(|progress| (progress.campaign, progress)));
        }
    }
}

/// Notes the next campaigns of which something may have been left untold: those that have not ended, and those of which
/// something may still become known. Returns where to go on; `None` after the last.
async fn recall(context: &Context, after: Uuid) -> anyhow::Result<Option<Uuid>> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let ended_since = Micros::now().earlier(SETTLED_AFTER);
    let campaigns = campaigns_to_tell(&tx, after, ended_since, i64::try_from(CAMPAIGNS)?).await?;
    context.nudges.tell_of(campaigns.iter().copied());
    Ok(campaigns.last().filter(|_| campaigns.len() == CAMPAIGNS).copied())
}

/// Looks where `campaigns` are, and tells of those that were `noted` and of those that are not where the last look saw them.
/// Returns what was told.
async fn look(
    context: &Context,
    campaigns: &[Uuid],
    before: &HashMap<Uuid, Progress>,
    noted: &BTreeSet<Uuid>,
) -> anyhow::Result<Vec<Progress>> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let mut progress = progress_read(&tx, campaigns).await?;
    progress.retain(|now| {
        noted.contains(&now.campaign) || before.get(&now.campaign).is_none_or(|before| !now.is_as(before))
    });
    tell(&tx, progress.iter().map(|progress| (progress.tenant, record(progress)))).await?;
    tx.commit().await?;
    if !progress.is_empty() {
        context.nudges.statuses.notify_one();
    }
    Ok(progress)
}

fn record(progress: &Progress) -> Record {
    let code = |code: i16| u32::from(code.unsigned_abs());
    Record::Progress(ProgressRecord {
        campaign_id: frame::id_bytes(progress.campaign),
        state: code(progress.state),
        planned: progress.planned,
        counts: progress.counts.iter().map(|(status, count)| (code(*status), *count)).collect(),
        time_us: progress.read_time.0,
    })
}
