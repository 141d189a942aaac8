//! Media of replies, taken by gateways to be fetched: each by one at a time, ever more seldom, for three days.

use std::collections::HashMap;
use std::time::Duration;

use muster_proto::internal::v1::media_service_server::MediaService;
use muster_proto::internal::v1::report_medium_request::{Outcome, Stored};
use muster_proto::internal::v1::{
    Account, Medium, ReportMediumRequest, ReportMediumResponse, TakeMediaRequest, TakeMediaResponse,
};
use muster_runtime::{Error, Result, frame};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::rpc::directory::Directory;
use crate::store::accounts::account_of_any_tenant;
use crate::store::media::{
    Settled, StoredMedium, Taking, media_take, medium_lock, medium_retry, medium_settle,
};

/// Media in one call at most.
const TAKEN_MAX: i64 = 100;
/// How long a gateway has a medium to itself: longer than fetching and storing it may take.
const TAKEN_FOR: Duration = Duration::from_mins(2);
/// Tried again after this long, and after four times as long each time after.
const TRIED_AGAIN: Duration = Duration::from_secs(10);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_hours(2);
/// When a medium is given up, counted from when its reply came: providers keep them for two days, some for longer, and what
/// went wrong was wrong long enough to be seen.
const GONE_AFTER: Duration = Duration::from_hours(72);

impl Directory {
    async fn take(&self, limit: i64) -> Result<Vec<Medium>> {
        let now = Micros::now();
        let taking = Taking {
            now,
            until: later(now, TAKEN_FOR),
            gone_before: Micros(now.0 - micros(GONE_AFTER)),
            limit,
        };
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let (taken, due) = media_take(&tx, &taking).await?;
        let mut found = Vec::with_capacity(taken.len());
        for account in taken.iter().map(|medium| medium.account) {
            found.extend(account_of_any_tenant(&tx, account).await?);
        }
        tx.commit().await?;
        drop(client);
        if due > taken.len() {
            tracing::warn!(media = due - taken.len(), "media of replies could not be had, and are given up");
        }
        let mut accounts: HashMap<Uuid, Account> = HashMap::new();
        for account in found {
            if !accounts.contains_key(&account.id) {
                let id = account.id;
                match self.encode(account).await {
                    Ok(account) => drop(accounts.insert(id, account)),
                    Err(error) => tracing::warn!(account.id = %id, %error, "media of an account must wait"),
                }
            }
        }
        let media = taken.into_iter().filter_map(|medium| {
            Some(Medium {
                medium_id: frame::id_bytes(medium.id),
                account: Some(accounts.get(&medium.account)?.clone()),
                url: medium.url,
                object_key: medium.object_key,
            })
        });
        Ok(media.collect())
    }

    async fn report(&self, id: Uuid, outcome: Outcome) -> Result<()> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        // Erased meanwhile, or said before: then nothing of it is to be kept.
        let Some(tries) = medium_lock(&tx, id).await? else { return Ok(()) };
        match outcome {
            Outcome::Stored(stored) => medium_settle(&tx, id, &Settled::Stored(read(stored)?)).await?,
            Outcome::Refused(reason) => medium_settle(&tx, id, &Settled::Refused(code(reason)?)).await?,
            Outcome::Failed(reason) => {
                medium_retry(&tx, id, code(reason)?, later(Micros::now(), pause(tries))).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// How long after the `tries`th try the next one comes.
fn pause(tries: u32) -> Duration {
    TRIED_AGAIN.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1))).min(PAUSE_MAX)
}

fn read(stored: Stored) -> Result<StoredMedium> {
    let Stored { content_type, size_bytes, sha256 } = stored;
    if content_type.is_empty() || size_bytes <= 0 || sha256.len() != 32 {
        return Err(Error::invalid("stored", "must have a type, a size and a SHA-256"));
    }
    Ok(StoredMedium { content_type, size_bytes, sha256: sha256.to_vec() })
}

fn code(reason: i32) -> Result<i16> {
    i16::try_from(reason).map_err(|_| Error::invalid("reason", "is none"))
}

fn later(time: Micros, wait: Duration) -> Micros {
    Micros(time.0 + micros(wait))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}

#[tonic::async_trait]
impl MediaService for Directory {
    async fn take_media(
        &self,
        request: Request<TakeMediaRequest>,
    ) -> Result<Response<TakeMediaResponse>, Status> {
        let limit = i64::from(request.into_inner().media_max);
        if !(1..=TAKEN_MAX).contains(&limit) {
            return Err(Error::invalid("media_max", format!("must be 1 to {TAKEN_MAX}")).into());
        }
        Ok(Response::new(TakeMediaResponse { media: self.take(limit).await? }))
    }

    async fn report_medium(
        &self,
        request: Request<ReportMediumRequest>,
    ) -> Result<Response<ReportMediumResponse>, Status> {
        let ReportMediumRequest { medium_id, outcome } = request.into_inner();
        let id =
            frame::id_from(&medium_id).ok_or_else(|| Error::invalid("medium_id", "must have 16 bytes"))?;
        self.report(id, outcome.ok_or_else(|| Error::invalid("outcome", "is required"))?).await?;
        Ok(Response::new(ReportMediumResponse {}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_medium_is_tried_ever_more_seldom_and_many_times_until_it_is_given_up() {
        let pauses: Vec<Duration> = (1..=100).map(pause).collect();
        assert_eq!(pauses[0], TRIED_AGAIN);
        assert!(pauses.is_sorted() && pauses.iter().all(|pause| *pause <= PAUSE_MAX));
        let mut waited = Duration::ZERO;
        let tries = pauses.iter().take_while(|pause| {
            waited += **pause;
            waited < GONE_AFTER
        });
        assert!((20..60).contains(&tries.count()));
    }
}
