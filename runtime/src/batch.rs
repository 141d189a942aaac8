//! Events on their way to JetStream: gathered into frames for a moment, published until acked.
//!
//! Whoever reports an event waits until JetStream has it. A fact is never dropped: a publish that fails is
//! tried again for as long as the process lives, and a full buffer makes the reporters wait. An event may be
//! published twice; what applies events does not mind.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use muster_proto::internal::v1::{Event, EventFrame};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::bus::Bus;
use crate::clock;
use crate::frame::message_of;
use crate::supervise::Tasks;
use crate::telemetry::trace::{Span, SpanKind, within};

/// Events that may wait for a frame; then reporters wait too.
const BUFFER_EVENTS_MAX: usize = 4_096;
/// A frame is full at this size, whatever its count: with the largest event on top it stays well under the
/// 1 MiB that NATS takes.
const FRAME_BYTES_MAX: usize = 512 * 1024;
/// How long an ack is waited for. Little, because a lost one holds up what waits for it, and publishing again is
/// harmless.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// The pauses between tries to publish a frame.
const RETRY_PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_millis(1_000);

/// How frames are made.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a frame's first event waits for company.
    pub linger: Duration,
    /// Events in a frame at most.
    pub frame_events_max: usize,
    /// Frames that wait for their acks at once.
    pub frames_inflight_max: usize,
}

/// Where events are reported. It closes, and flushes what it holds, when its last clone is gone.
#[derive(Clone, Debug)]
pub struct Events {
    entries: mpsc::Sender<Entry>,
    stuck: Arc<AtomicBool>,
}

/// JetStream will not have the event: the process is going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event was not published before the process went down")]
pub struct Lost;

impl Events {
    /// Begins publishing to the stream of events as `node`.
    pub fn start(bus: Bus, node: String, limits: Limits, tasks: &Tasks) -> Self {
        let subject = bus.topology.events_subject();
        Self::through(node, limits, tasks, move |payload| {
            let (bus, subject) = (bus.clone(), subject.clone());
            async move { Ok(tokio::time::timeout(ACK_TIMEOUT, bus.publish(subject, payload)).await??) }
        })
    }

    /// Begins publishing frames with `publish`, which may be asked to publish the same frame again.
    pub fn through<P, F>(node: String, limits: Limits, tasks: &Tasks, publish: P) -> Self
    where
        P: Fn(Bytes) -> F + Send + Sync + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (entries, waiting) = mpsc::channel(BUFFER_EVENTS_MAX);
        let stuck = Arc::new(AtomicBool::new(false));
        let publish = Publish { publish, stuck: stuck.clone() };
        tasks.spawn(async move { gather(waiting, &node, limits, &publish).await });
        Self { entries, stuck }
    }

    /// Whether the last frame could not be published. It is being tried again, and what is reported now waits behind it:
    /// whoever can be asked to come back later should be.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Reports `event` and returns when JetStream has it. Once the event is in the buffer it will be published
    /// even if the caller stops waiting.
    ///
    /// # Errors
    /// Where the process goes down first.
    pub async fn report(&self, event: Event) -> Result<(), Lost> {
        let (published, acked) = oneshot::channel();
        self.entries.send(Entry { event, published }).await.map_err(|_| Lost)?;
        acked.await.map_err(|_| Lost)
    }
}

/// How frames are published, and whether the last could not be.
struct Publish<P> {
    publish: P,
    stuck: Arc<AtomicBool>,
}

struct Entry {
    event: Event,
    published: oneshot::Sender<()>,
}

/// A frame being filled.
#[derive(Default)]
struct Frame {
    events: Vec<Event>,
    waiting: Vec<oneshot::Sender<()>>,
    bytes: usize,
}

impl Frame {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.event.encoded_len();
        self.events.push(entry.event);
        self.waiting.push(entry.published);
    }

    fn is_full(&self, limits: Limits) -> bool {
        self.events.len() >= limits.frame_events_max || self.bytes >= FRAME_BYTES_MAX
    }
}

async fn gather<P, F>(mut entries: mpsc::Receiver<Entry>, node: &str, limits: Limits, publish: &Publish<P>)
where
    P: Fn(Bytes) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let mut publishing = FuturesUnordered::new();
    let mut frame = Frame::default();
    let mut linger = pin!(sleep(Duration::ZERO));
    let (mut open, mut due) = (true, false);
    while open || !frame.events.is_empty() || !publishing.is_empty() {
        tokio::select! {
            Some(()) = publishing.next() => {}
            entry = entries.recv(), if open && !frame.is_full(limits) => {
                open = entry.is_some();
                if frame.events.is_empty() {
                    linger.as_mut().reset((clock::instant() + limits.linger).into());
                    due = false;
                }
                let more = std::iter::from_fn(|| entries.try_recv().ok());
                for entry in entry.into_iter().chain(more) {
                    frame.push(entry);
                    if frame.is_full(limits) {
                        break;
                    }
                }
            }
            () = &mut linger, if !frame.events.is_empty() && !due => due = true,
        }
        let ready = !frame.events.is_empty() && (due || !open || frame.is_full(limits));
        if ready && publishing.len() < limits.frames_inflight_max {
            publishing.push(persist(std::mem::take(&mut frame), node, publish));
        }
    }
}

/// Publishes a frame until it is acked, and tells those who wait for it.
async fn persist<P, F>(frame: Frame, node: &str, to: &Publish<P>)
where
    P: Fn(Bytes) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let Frame { events, waiting, .. } = frame;
    let span = Span::of_texts(None, "send events", SpanKind::Producer, events.iter().filter_map(message_of));
    let place = span.as_ref().map(Span::place);
    let payload = Bytes::from(EventFrame { node: node.to_owned(), events }.encode_to_vec());
    let mut pause = *RETRY_PAUSE.start();
    while let Err(error) = within(place, (to.publish)(payload.clone())).await {
        to.stuck.store(true, Ordering::Relaxed);
        let events = waiting.len();
        tracing::warn!(events, error = format!("{error:#}"), "events could not be published; trying again");
        sleep(pause).await;
        pause = (pause * 2).min(*RETRY_PAUSE.end());
    }
    to.stuck.store(false, Ordering::Relaxed);
    span.into_iter().for_each(Span::end);
    for published in waiting {
        // Whoever reported it may have stopped waiting.
        let _ = published.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const LIMITS: Limits =
        Limits { linger: Duration::from_millis(5), frame_events_max: 4, frames_inflight_max: 2 };

    fn event(time_us: i64) -> Event {
        Event { time_us, ..Event::default() }
    }

    #[tokio::test]
    async fn gathers_up_to_a_full_frame_and_flushes_the_rest() {
        let tasks = Tasks::default();
        let frames = Arc::new(Mutex::new(Vec::new()));
        let seen = frames.clone();
        let events = Events::through("node".to_owned(), LIMITS, &tasks, move |payload| {
            let frame = EventFrame::decode(payload).expect("a frame");
            seen.lock().expect("no panic").push(frame.events.len());
            async { Ok(()) }
        });
        let all: Vec<_> = (0..10).map(|time_us| events.report(event(time_us))).collect();
        for report in futures::future::join_all(all).await {
            report.expect("published");
        }
        drop(events);
        tasks.drain().await;
        let frames = frames.lock().expect("no panic").clone();
        assert_eq!(frames.iter().sum::<usize>(), 10);
        assert_eq!(frames[..2], [4, 4], "{frames:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn tries_again_until_acked() {
        let tasks = Tasks::default();
        let tries = Arc::new(Mutex::new(0));
        let count = tries.clone();
        let events = Events::through("node".to_owned(), LIMITS, &tasks, move |_| {
            let count = count.clone();
            async move {
                let mut count = count.lock().expect("no panic");
                *count += 1;
                if *count < 4 { Err(anyhow::anyhow!("no ack")) } else { Ok(()) }
            }
        });
        let mut report = pin!(events.report(event(1)));
        let waited = tokio::time::timeout(RETRY_PAUSE.start().mul_f32(0.5), &mut report).await;
        assert!(waited.is_err() && events.is_stuck());
        report.await.expect("published at last");
        assert_eq!(*tries.lock().expect("no panic"), 4);
        assert!(!events.is_stuck());
    }

    #[tokio::test]
    async fn what_was_reported_is_flushed_when_the_last_reporter_goes() {
        let tasks = Tasks::default();
        let published = Arc::new(Mutex::new(0));
        let count = published.clone();
        let events = Events::through("node".to_owned(), LIMITS, &tasks, move |payload| {
            *count.lock().expect("no panic") += EventFrame::decode(payload).expect("a frame").events.len();
            async { Ok(()) }
        });
        let abandoned = tokio::time::timeout(Duration::ZERO, events.report(event(1))).await;
        assert!(abandoned.is_err(), "the linger is longer than that");
        drop(events);
        tasks.drain().await;
        assert_eq!(*published.lock().expect("no panic"), 1);
    }
}
