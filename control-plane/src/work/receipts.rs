//! Receipts that do not come: looks through campaigns for messages that have been SENT for long, and has their providers
//! asked (rpc/inquiries.rs). What nobody knows more of after 72 hours stays SENT for good, and its history says so.
//!
//! A campaign is looked through every few hours, from its start until nobody can expect a receipt any more. A page of it,
//! and the cursor over it, are one transaction under a lock of the campaign's row: two of these at once look at different
//! campaigns, and one that is killed is gone on with where it was.

use std::time::Duration;

use crate::db::{Micros, SystemTx};
use crate::store::inquiries::SETTLED_AFTER;
use crate::store::receipts::{Again, LookedThrough, Overdue, campaign_looked, campaign_take, messages_find};
use crate::work::Context;

/// How often it looks for a campaign to look through.
const TIMER: Duration = Duration::from_secs(5);
/// Messages of a page.
const PAGE: i64 = 5_000;
/// The pause after a page, so that texts that go out meanwhile do not wait for it.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause before a campaign is looked through again.
const AGAIN_MAX: Duration = Duration::from_hours(4);
/// The shortest.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// Runs it.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    loop {
        if look(&context).await? {
            tokio::time::sleep(PAUSE).await;
        } else {
            tokio::time::sleep(TIMER).await;
        }
    }
}

/// Looks at a page of one campaign. Returns whether there was any.
async fn look(context: &Context) -> anyhow::Result<bool> {
    let now = Micros::now();
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let Some(campaign) = campaign_take(&tx, now).await? else { return Ok(false) };
    let again = if campaign.sent {
        let overdue = Overdue {
            after: now.earlier(SETTLED_AFTER),
            before: now.earlier(context.receipt_delay),
            due: now,
        };
        let looked = messages_find(&tx, &campaign, overdue, PAGE).await?;
        if looked.missing > 0 {
            tracing::info!(
                campaign.id = %campaign.campaign,
                messages = looked.missing,
                "receipts are missing; their providers are asked"
            );
        }
        looked.last.filter(|_| looked.messages == PAGE).map(Again::From)
    } else {
        None
    };
    campaign_looked(
        &tx,
        campaign.campaign,
        again.unwrap_or_else(|| next(&campaign, context.receipt_delay, now)),
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// When a campaign is looked through again whose end was reached.
fn next(campaign: &LookedThrough, delay: Duration, now: Micros) -> Again {
    let over = campaign.end_time.is_some_and(|end| end <= now.earlier(SETTLED_AFTER + delay));
    if over { Again::Never } else { Again::At(now.later(delay.clamp(AGAIN_MIN, AGAIN_MAX))) }
}
