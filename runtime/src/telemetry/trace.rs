//! Traces. The trace of a text has the text's own id, and its first span the id's second half: so every process can put
//! its spans there without being told anything, and whether a text is traced follows from its id alone
//! (docs/adr/0019-a-text-is-its-own-trace.md). What many texts share, such as a frame or a claim, is a span of its own
//! trace, linked with theirs.
//!
//! A span is told when it is over. Where nothing is traced, nothing is made: what asks for the place of a text that is
//! not traced gets `None`, by a comparison of two numbers.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{Link, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks,
    SpanProcessor as _,
};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::clock;

pub use opentelemetry::trace::SpanKind;

/// The header that says where a call or a frame comes from (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// Links of one span at most: what the standard recommends.
const LINKS_MAX: usize = 128;

static TRACING: OnceLock<Tracing> = OnceLock::new();

tokio::task_local! {
    static CURRENT: Place;
}

#[derive(Debug)]
struct Tracing {
    spans: Arc<BatchSpanProcessor>,
    /// What is traced: ids whose last 32 bits, which are random in every UUIDv7, are below this.
    below: u64,
    scope: InstrumentationScope,
}

/// Begins to trace `ratio` of all texts and calls.
pub(super) fn start(spans: Arc<BatchSpanProcessor>, ratio: f64) {
    let scope = InstrumentationScope::builder("muster").build();
    let _ = TRACING.set(Tracing { spans, below: below(ratio), scope });
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^32")]
fn below(ratio: f64) -> u64 {
    (ratio * 2f64.powi(32)) as u64
}

fn is_below(id: Uuid, below: u64) -> bool {
    let [.., a, b, c, d] = *id.as_bytes();
    u64::from(u32::from_be_bytes([a, b, c, d])) < below
}

/// A place in a trace that is traced: what spans belong to and are linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    trace: TraceId,
    span: SpanId,
}

/// Where the spans of a text belong; `None` where it is not traced.
pub fn text(message: Uuid) -> Option<Place> {
    let tracing = TRACING.get()?;
    is_below(message, tracing.below).then(|| Place::of(message))
}

/// Where the span of a campaign's start is; `None` where nothing is traced.
pub fn campaign(campaign: Uuid) -> Option<Place> {
    TRACING.get().map(|_| Place::of(campaign))
}

/// What this task works in.
pub fn current() -> Option<Place> {
    CURRENT.try_with(|place| *place).ok()
}

/// Whether a call that comes without a trace is traced: by chance.
pub(super) fn by_chance() -> bool {
    TRACING.get().is_some_and(|tracing| tracing.below > 0 && is_below(clock::new_id(), tracing.below))
}

/// Works in `place`: what is logged meanwhile says so, and what is called or published is told.
pub async fn within<F: Future>(place: Option<Place>, work: F) -> F::Output {
    let Some(place) = place else { return work.await };
    let span = tracing::error_span!("trace", trace_id = %place.trace, span_id = %place.span);
    CURRENT.scope(place, work.instrument(span)).await
}

impl Place {
    fn of(id: Uuid) -> Self {
        let (_, low) = id.as_u64_pair();
        Self { trace: TraceId::from_bytes(id.into_bytes()), span: SpanId::from(low) }
    }

    /// What a header says; `None` where it says nothing, or that it is not traced.
    pub fn from_header(header: &str) -> Option<Self> {
        TRACING.get()?;
        Self::read(header)
    }

    fn read(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sound = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        let lower = header.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        if !sound || !lower || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let place = Self { trace: TraceId::from_hex(trace).ok()?, span: SpanId::from_hex(span).ok()? };
        let known = place.trace != TraceId::INVALID && place.span != SpanId::INVALID;
        (known && TraceFlags::new(flags).is_sampled()).then_some(place)
    }

    /// As a header says it.
    pub fn header(self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }

    /// The place that the headers of a call name; `Err` where they name one that is not traced.
    pub(super) fn of_call(headers: &HeaderMap) -> Result<Option<Self>, NotTraced> {
        match headers.get(TRACEPARENT).and_then(|header| header.to_str().ok()) {
            None => Ok(None),
            Some(header) => Self::from_header(header).map(Some).ok_or(NotTraced),
        }
    }

    /// Names this place in the headers of a call.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        if let Ok(header) = HeaderValue::try_from(self.header()) {
            headers.insert(TRACEPARENT, header);
        }
    }

    fn context(self) -> SpanContext {
        SpanContext::new(self.trace, self.span, TraceFlags::SAMPLED, true, TraceState::NONE)
    }
}

/// Whoever calls has decided not to trace.
pub(super) struct NotTraced;

/// A span of something that is traced. It is told when it ends; dropped before, it never was.
#[derive(Debug)]
pub struct Span(Box<SpanData>);

impl Span {
    /// The first span of a trace that has its place by an id: of a text or a campaign.
    pub fn first(place: Place, name: &'static str) -> Self {
        Self::new(place, SpanId::INVALID, name.into(), SpanKind::Internal)
    }

    /// A span below `parent`, or without one the first of a new trace.
    pub fn begin(parent: Option<Place>, name: impl Into<Cow<'static, str>>, kind: SpanKind) -> Self {
        let ids = RandomIdGenerator::default();
        let trace = parent.map_or_else(|| ids.new_trace_id(), |parent| parent.trace);
        let place = Place { trace, span: ids.new_span_id() };
        Self::new(place, parent.map_or(SpanId::INVALID, |parent| parent.span), name.into(), kind)
    }

    /// A span of something that several texts share, linked with those that are traced; `None` where none of them is.
    pub fn of_texts(
        parent: Option<Place>,
        name: &'static str,
        kind: SpanKind,
        messages: impl IntoIterator<Item = Uuid>,
    ) -> Option<Self> {
        TRACING.get()?;
        let mut places = messages.into_iter().filter_map(text).peekable();
        places.peek()?;
        Some(places.fold(Self::begin(parent, name, kind), Self::link))
    }

    fn new(place: Place, parent: SpanId, name: Cow<'static, str>, kind: SpanKind) -> Self {
        let now = moment(clock::now_us());
        let scope = TRACING.get().map(|tracing| tracing.scope.clone());
        Self(Box::new(SpanData {
            span_context: SpanContext::new(
                place.trace,
                place.span,
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: kind,
            name,
            start_time: now,
            end_time: now,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: scope.unwrap_or_default(),
        }))
    }

    /// Where spans below this one belong.
    pub fn place(&self) -> Place {
        Place { trace: self.0.span_context.trace_id(), span: self.0.span_context.span_id() }
    }

    /// It began then, in microseconds since the epoch.
    #[must_use]
    pub fn since(mut self, begun_us: i64) -> Self {
        self.0.start_time = moment(begun_us);
        self
    }

    /// Linked with `place`.
    #[must_use]
    pub fn link(mut self, place: Place) -> Self {
        if self.0.links.links.len() < LINKS_MAX {
            self.0.links.links.push(Link::with_context(place.context()));
        } else {
            self.0.links.dropped_count += 1;
        }
        self
    }

    /// Linked with what this task works in, if that is traced and another trace.
    #[must_use]
    pub fn link_current(self) -> Self {
        match current() {
            Some(place) if place.trace != self.0.span_context.trace_id() => self.link(place),
            _ => self,
        }
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.attributes.push(KeyValue::new(name, value));
        self
    }

    /// It went wrong, as `error` says in a word.
    #[must_use]
    pub fn failed(mut self, error: &'static str) -> Self {
        self.0.status = Status::error("");
        self.with("error.type", error)
    }

    /// It is over.
    pub fn end(mut self) {
        self.0.end_time = moment(clock::now_us()).max(self.0.start_time);
        if let Some(tracing) = TRACING.get() {
            tracing.spans.on_end(*self.0);
        }
    }
}

fn moment(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_ids_is_traced_and_every_process_agrees_which() {
        let ids: Vec<Uuid> = (0..20_000).map(|_| clock::new_id()).collect();
        let traced = |ratio| ids.iter().filter(|id| is_below(**id, below(ratio))).count();
        assert_eq!((traced(0.0), traced(1.0)), (0, ids.len()));
        assert!((1_600..2_400).contains(&traced(0.1)), "{}", traced(0.1));
    }

    #[test]
    fn a_place_is_told_and_understood() {
        let place = Place::of(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_00ab));
        let header = "00-01920000000070008000000000000".to_owned() + "0ab-80000000000000ab-01";
        assert_eq!(place.header(), header);
        assert_eq!(Place::read(&header), Some(place));
        assert_eq!(Place::read(&header.replace("-01", "-00")), None, "not traced");
        assert_eq!(Place::read(&header.replacen("00-", "01-", 1)), Some(place), "a later version");
        assert_eq!(Place::read(&format!("{header}-00")), None);
        for wrong in ["", "00", "00-1-2-01", &header.to_uppercase(), &header[1..]] {
            assert_eq!(Place::read(wrong), None, "{wrong}");
        }
        let zero = format!("00-{}-{}-01", "0".repeat(32), "0".repeat(16));
        assert_eq!(Place::read(&zero), None);
    }

    #[tokio::test]
    async fn a_task_knows_what_it_works_in() {
        let place = Place::of(Uuid::from_u128(7));
        assert_eq!(within(Some(place), async { current() }).await, Some(place));
        assert_eq!(within(None, async { current() }).await, None);
        assert_eq!(text(Uuid::nil()), None, "nothing is traced here");
    }

    /// What was logged, as a writer of the subscriber.
    #[derive(Clone, Default)]
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_is_logged_in_a_trace_says_so() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_span_list(false).with_max_level(tracing::Level::WARN);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        let work = within(Some(Place::of(Uuid::from_u128(0xabc))), async { tracing::warn!("inside") });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(work);
            tracing::warn!("outside");
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
        let (inside, outside) = text.trim().split_once('\n').expect("two lines");
        let ids = format!("\"trace_id\":\"{:032x}\"", 0xabc);
        assert!(inside.contains(&ids) && inside.contains("\"span_id\":\"0000000000000abc\""), "{inside}");
        assert!(!outside.contains("trace_id"), "{outside}");
    }
}
