//! Tells events by hand, as the control-plane would: frames of a tenant's, straight into JetStream.

use anyhow::{Context, Result};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use muster_proto::internal::v1::{StatusFrame, StatusRecord};
use prost::Message as _;
use uuid::Uuid;

use crate::Stack;

/// Tells what happens to one tenant.
#[derive(Clone, Debug)]
pub struct Teller {
    jetstream: jetstream::Context,
    stream: String,
    subject: String,
}

impl Teller {
    /// A teller for a tenant, by its name.
    pub async fn of(stack: &Stack, tenant: &str) -> Result<Self> {
        let id: Uuid = tenant.rsplit('/').next().context("a tenant's id")?.parse()?;
        let prefix = &stack.endpoints.nats_prefix;
        Ok(Self {
            jetstream: jetstream::new(stack.nats().connect().await?),
            stream: format!("{}_STATUS", prefix.to_uppercase()),
            subject: format!("{prefix}.status.{}", id.simple()),
        })
    }

    /// Tells one frame; returns where it is in the stream.
    pub async fn tell(&self, frame: &StatusFrame) -> Result<u64> {
        let payload = frame.encode_to_vec().into();
        Ok(self.jetstream.publish(self.subject.clone(), payload).await?.await?.sequence)
    }

    /// Lets the stream forget all before a place, for every tenant.
    pub async fn forget_before(&self, sequence: u64) -> Result<()> {
        self.stream().await?.purge().sequence(sequence).await?;
        Ok(())
    }

    /// The stream.
    pub async fn stream(&self) -> Result<stream::Stream> {
        Ok(self.jetstream.get_stream(&self.stream).await?)
    }
}

/// An id of 16 bytes.
pub fn id(id: u128) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// A frame of its own id in which so many messages of a campaign were delivered: `first` and those that follow.
pub fn delivered(first: u128, messages: u128, campaign: u128) -> StatusFrame {
    let change = |message| StatusRecord {
        message_id: id(message),
        campaign_id: id(campaign),
        status: 6,
        previous_status: 5,
        attempt: 1,
        time_us: 1_700_000_000_000_000,
        number_id: id(1),
        ..StatusRecord::default()
    };
    StatusFrame {
        changes: (first..first + messages).map(change).collect(),
        frame_id: Bytes::copy_from_slice(Uuid::now_v7().as_bytes()),
        ..StatusFrame::default()
    }
}
