//! Fetches media of replies from their providers, and stores them.
//!
//! Whoever texts one of our numbers says, by way of their provider, where a medium is: it is fetched through the egress
//! guard, the account's credentials go to the provider's own host alone, and what comes is kept only where its bytes are of
//! a type that is. A gateway that dies over a medium leaves it to another one; a store that is away, too.

mod kind;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures::future::try_join_all;
use http::{StatusCode, Uri};
use muster_proto::internal::v1::media_service_client::MediaServiceClient;
use muster_proto::internal::v1::report_medium_request::{Outcome, Stored};
use muster_proto::internal::v1::{Medium, ReportMediumRequest, TakeMediaRequest};
use muster_proto::v1::MediaReason;
use muster_runtime::directory::Channel;
use muster_runtime::egress::{Bounds, Failed, Fetched, Guard};
use muster_runtime::objects::Objects;

use crate::account;
use crate::config;

/// How often the control-plane is asked whether there is anything to fetch.
const TIMER: Duration = Duration::from_secs(2);
/// Media that are fetched at the same time: a slow host holds up its own.
const FETCHED_AT_ONCE: usize = 4;
/// How long all of a fetch may take. With storing it is well within the two minutes that a medium is ours.
const FETCHED_WITHIN: Duration = Duration::from_secs(30);
/// How long the control-plane may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Fetches media.
pub(crate) struct Fetcher {
    client: MediaServiceClient<Channel>,
    node: String,
    guard: Guard,
    objects: Objects,
    bounds: Bounds,
}

/// Why a medium is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unstored {
    /// It never will be.
    Never(MediaReason),
    /// It may be another time.
    NotNow(MediaReason),
}

impl Fetcher {
    /// A fetcher of what the control-plane behind `channel` has to fetch.
    pub(crate) fn new(config: &config::Media, channel: Channel, node: String) -> anyhow::Result<Self> {
        Ok(Self {
            client: MediaServiceClient::new(channel),
            node,
            guard: Guard::new(&config.trusted_hosts)?,
            objects: Objects::open(&config.store, &config.store_options)?,
            bounds: Bounds { bytes_max: config.bytes_max, within: FETCHED_WITHIN },
        })
    }

    /// Fetches until it fails.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        try_join_all((0..FETCHED_AT_ONCE).map(|_| self.fetch_one_by_one())).await?;
        Ok(())
    }

    async fn fetch_one_by_one(&self) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(TIMER).await;
            while let Some(medium) = self.take().await? {
                self.deal_with(medium).await;
            }
        }
    }

    /// The next one. No more are taken at once, so that none waits while it is ours.
    async fn take(&self) -> anyhow::Result<Option<Medium>> {
        let request = TakeMediaRequest { node: self.node.clone(), media_max: 1 };
        let taken = tokio::time::timeout(ANSWERED_WITHIN, self.client.clone().take_media(request)).await;
        Ok(taken??.into_inner().media.pop())
    }

    async fn deal_with(&self, medium: Medium) {
        let medium_id = medium.medium_id.clone();
        let outcome = match self.store(medium).await {
            Ok(stored) => Outcome::Stored(stored),
            Err(Unstored::Never(reason)) => Outcome::Refused(reason.into()),
            Err(Unstored::NotNow(reason)) => Outcome::Failed(reason.into()),
        };
        let request = ReportMediumRequest { medium_id, outcome: Some(outcome) };
        // What is not heard of is taken again.
        let _ = tokio::time::timeout(ANSWERED_WITHIN, self.client.clone().report_medium(request)).await;
    }

    async fn store(&self, medium: Medium) -> Result<Stored, Unstored> {
        let Medium { account, url, object_key, .. } = medium;
        let unreadable = |why| {
            tracing::error!(why, "a medium cannot be fetched");
            Unstored::NotNow(MediaReason::Unspecified)
        };
        let account = account.and_then(|listed| account::read(listed).ok());
        let account = account.ok_or_else(|| unreadable("its account cannot be read"))?;
        let url = self.guard.url(&url).map_err(|refused| unstored(&refused.into()))?;
        // As the guard reads it, so that nobody is asked but whom it means.
        let uri: Uri = url.as_str().parse().map_err(|_| Unstored::Never(MediaReason::ForbiddenUrl))?;
        let authorization = account.adapter.media_authorization(&account.credentials, &uri);
        let authorization =
            authorization.map_err(|_| unreadable("its account's credentials cannot be sent"))?;
        let fetched =
            self.guard.fetch(url, authorization, self.bounds).await.map_err(|failed| unstored(&failed))?;
        let Fetched { content_type, body } = fetched;
        let kind = kind::of(&body, content_type.as_deref());
        let kind = kind.ok_or(Unstored::Never(MediaReason::ContentType))?;
        self.put(&object_key, kind, body).await
    }

    async fn put(&self, object_key: &str, kind: &str, body: Bytes) -> Result<Stored, Unstored> {
        let stored = Stored {
            content_type: kind.to_owned(),
            size_bytes: i64::try_from(body.len()).unwrap_or(i64::MAX),
            sha256: Bytes::copy_from_slice(digest(&SHA256, &body).as_ref()),
        };
        match self.objects.put(object_key, body).await {
            Ok(()) => Ok(stored),
            Err(error) => {
                tracing::warn!(%error, "a medium could not be stored; it will be fetched again");
                Err(Unstored::NotNow(MediaReason::Store))
            }
        }
    }
}

/// What follows from a fetch that failed. What a host says it does not have may come to be there: media are told of before
/// they are everywhere.
fn unstored(failed: &Failed) -> Unstored {
    match failed {
        Failed::Refused(_) => Unstored::Never(MediaReason::ForbiddenUrl),
        Failed::TooLarge => Unstored::Never(MediaReason::TooLarge),
        Failed::Status(StatusCode::NOT_FOUND | StatusCode::GONE) => Unstored::NotNow(MediaReason::NotFound),
        Failed::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Unstored::NotNow(MediaReason::Unauthorized)
        }
        Failed::Status(_) | Failed::Redirects | Failed::Late | Failed::Unreachable(_) => {
            Unstored::NotNow(MediaReason::Unreachable)
        }
    }
}
