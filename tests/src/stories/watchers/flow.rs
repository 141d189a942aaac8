//! What is told, at a steady pace.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, interval};

use super::Options;
use crate::Stack;
use crate::stack::Organization;
use crate::teller::{Teller, delivered, event_ids};

/// The events of all organizations.
pub(super) struct Flow {
    tellers: Vec<Teller>,
    pause: Duration,
    events: u128,
    /// The ids of what was told, of each organization.
    told: Mutex<Vec<Vec<String>>>,
}

impl Flow {
    pub(super) async fn of(stack: &Stack, organizations: &[Organization], options: &Options) -> Result<Self> {
        let tellers = organizations.iter().map(|organization| Teller::of(stack, &organization.tenant));
        Ok(Self {
            tellers: futures::future::try_join_all(tellers).await?,
            pause: Duration::from_secs(1) / options.frames_per_s.max(1),
            events: options.events as u128,
            told: Mutex::new(vec![Vec::new(); organizations.len()]),
        })
    }

    /// Tells events for so long.
    pub(super) async fn run(&self, duration: Duration) -> Result<()> {
        let all = (0..self.tellers.len()).map(|organization| self.tell(organization, duration));
        futures::future::try_join_all(all).await?;
        Ok(())
    }

    async fn tell(&self, organization: usize, duration: Duration) -> Result<()> {
        let (until, mut turn) = (Instant::now() + duration, interval(self.pause));
        let mut first = 0;
        while Instant::now() < until {
            turn.tick().await;
            let frame = delivered(first, self.events, 7);
            first += self.events;
            // Before it is told, so that nobody sees what is not counted.
            self.told.lock().unwrap_or_else(PoisonError::into_inner)[organization].extend(event_ids(&frame));
            self.tellers[organization].tell(&frame).await?;
        }
        Ok(())
    }

    /// How many events were told, of each organization.
    pub(super) fn counts(&self) -> Vec<usize> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Vec::len).collect()
    }

    /// The ids of what was told of one.
    pub(super) fn ids(&self, organization: usize) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)[organization].clone()
    }
}
