//! A response as it goes out: events that were encoded once for all, and what is the watcher's own.

use std::ops::Range;
use std::sync::Arc;

use bytes::BufMut as _;
use muster_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use muster_runtime::Error;
use prost::Message as _;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::{ProstCodec, ProstDecoder};

use super::frame::Frame;

/// What a stream's buffer begins with, in bytes: there are thousands, and most responses are small.
const BUFFER_BYTES: usize = 1_024;
/// Responses are gathered up to so many bytes: what one that has stopped reading holds, beside its last response.
const GATHERED_BYTES_MAX: usize = 16 * 1_024;

/// Of a frame, the bytes of some events.
pub(super) type Events = (Arc<Frame>, Vec<Range<usize>>);

/// A `WatchEventsResponse`, not encoded yet.
#[derive(Debug)]
pub(super) struct Response {
    /// Its events.
    pub(super) events: Option<Events>,
    /// All but these.
    pub(super) rest: WatchEventsResponse,
}

/// Requests as ever, responses by [`Responses`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventCodec;

impl Codec for EventCodec {
    type Encode = Response;
    type Decode = WatchEventsRequest;
    type Encoder = Responses;
    type Decoder = ProstDecoder<WatchEventsRequest>;

    fn encoder(&mut self) -> Responses {
        Responses
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<WatchEventsResponse, WatchEventsRequest>::new().decoder()
    }
}

/// Encodes responses. The encodings of parts of a message, one after the other, are the encoding of the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Responses;

impl Encoder for Responses {
    type Item = Response;
    type Error = Status;

    fn encode(&mut self, response: Response, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        if let Some((frame, picked)) = response.events {
            for range in picked {
                to.put_slice(frame.slice(range));
            }
        }
        response.rest.encode(to).map_err(|error| Error::internal(error).into())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, GATHERED_BYTES_MAX)
    }
}
