//! Waiting until a stack has nothing more to do: everything asked for is settled, every webhook has arrived, and
//! everything that arrived is in the truth.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::jetstream;

use super::Stack;
use crate::wait;

/// How often the database is asked: seldom enough to cost a benchmark nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// Messages on their way in campaigns that are not paused, and campaigns that are not wholly planned; those of tenants
/// that are not active wait.
const UNSETTLED: &str = "
SELECT (SELECT coalesce(sum(count), 0)::bigint
        FROM campaign_counters n JOIN campaigns c ON c.id = n.campaign_id JOIN tenants t ON t.id = c.tenant_id
        WHERE n.status IN (3, 4) OR (n.status = 2 AND c.state <> 3 AND t.state = 1)),
       (SELECT count(*) FROM campaigns c JOIN tenants t ON t.id = c.tenant_id
        WHERE c.state = 2 AND NOT c.planned AND t.state = 1)";

impl Stack {
    /// Waits until all of it is done. Messages that wait for a texter's click, in a paused campaign, or for their tenant to
    /// be resumed, wait on.
    pub async fn settled(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        // What arrives late may make work again, such as another attempt: then once more.
        loop {
            self.asked_for_is_settled(left()).await?;
            self.simulator.quiet(left()).await?;
            self.events_are_projected(left()).await?;
            if self.unsettled().await? == (0, 0) && self.simulator.stats().await?.webhooks_pending == 0 {
                return Ok(());
            }
        }
    }

    /// Messages on their way, and campaigns that are being planned.
    async fn unsettled(&self) -> Result<(i64, i64)> {
        let row = self.sql().await?.query_one(UNSETTLED, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }

    async fn asked_for_is_settled(&self, within: Duration) -> Result<()> {
        let client = self.sql().await?;
        let settled = async || {
            let row = client.query_one(UNSETTLED, &[]).await?;
            Ok((row.get::<_, i64>(0) == 0 && row.get::<_, i64>(1) == 0).then_some(()))
        };
        let waited = wait::until_every(PAUSE, "everything asked for to be settled", within, settled).await;
        match waited {
            Ok(()) => Ok(()),
            Err(error) => {
                let (messages, campaigns) = self.unsettled().await?;
                let fallen =
                    self.fallen().map(|fallen| format!("; not running: {fallen}")).unwrap_or_default();
                Err(error.context(format!(
                    "{messages} messages are on their way, {campaigns} campaigns are being planned{fallen}"
                )))
            }
        }
    }

    /// Waits until no order is left on the conveyor: those too have come again that a killed sender node had taken.
    pub async fn orders_are_acked(&self, within: Duration) -> Result<()> {
        let mut stream = self.stream("WORK").await?;
        let acked = async || {
            let left = stream.info().await.context("the stream of orders")?.state.messages;
            Ok((left == 0).then_some(()))
        };
        wait::until_every(PAUSE, "every order to be acked", within, acked).await
    }

    async fn stream(&self, name: &str) -> Result<jetstream::stream::Stream> {
        let nats = self.nats().connect().await?;
        let name = format!("{}_{name}", self.endpoints.nats_prefix.to_uppercase());
        jetstream::new(nats).get_stream(&name).await.with_context(|| format!("the stream {name}"))
    }

    /// Waits until the projection has reached the end of the stream of events.
    pub async fn events_are_projected(&self, within: Duration) -> Result<()> {
        let mut stream = self.stream("EVENTS").await?;
        let client = self.sql().await?;
        let projected = async || {
            let last = stream.info().await.context("the stream of events")?.state.last_sequence;
            let row = client.query_one("SELECT coalesce(max(sequence), 0) FROM projections", &[]).await?;
            let reached = u64::try_from(row.get::<_, i64>(0))?;
            Ok((reached >= last).then_some(()))
        };
        wait::until_every(PAUSE, "the projection to reach the last event", within, projected).await
    }
}
