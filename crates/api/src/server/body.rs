//! Bodies in and out, within bounds, and what is said to whoever is refused.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::future::poll_fn;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::limits::Lane;
use super::pulse::{Pulse, Stage};
use crate::backend::Unavailable;

/// Bytes of a reply that are handed over at a time.
const PIECE: usize = 64 << 10;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests are being answered: try again")
    }

    pub(crate) fn too_large(most: usize) -> Self {
        let text = format!("the body is larger than {most} bytes; with the cookie it may be larger");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text + "\n").into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // As Bitcoin Core's.
            let realm = HeaderValue::from_static("Basic realm=\"jsonrpc\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Unavailable> for Refusal {
    fn from(why: Unavailable) -> Self {
        let status = match why {
            Unavailable::Busy => StatusCode::TOO_MANY_REQUESTS,
            Unavailable::Stopped | Unavailable::NoWallet | Unavailable::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, why.to_string())
    }
}

/// A body that came in, and the room that it takes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Reads a body, as long as it keeps to the bounds. How long it takes is the connection's concern.
pub(super) async fn read(headers: &HeaderMap, body: Body, lane: &Lane, pulse: &Pulse) -> Result<Received, Refusal> {
    let mut body = body;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let most = lane.body;
    if announced.is_some_and(|announced| announced > most as u64) {
        return Err(Refusal::too_large(most));
    }
    pulse.enter(Stage::Body(Instant::now(), 0));
    let mut bytes = Vec::new();
    let mut room = lane.room(0).ok_or_else(Refusal::busy)?;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body broke off, or is not framed as it should be");
        // What is no data is trailers, which say nothing here.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let length = bytes.len().saturating_add(data.len());
        if length > most {
            return Err(Refusal::too_large(most));
        }
        lane.widen(&mut room, length).ok_or_else(Refusal::busy)?;
        bytes.extend_from_slice(&data);
        pulse.received(data.len());
    }
    pulse.enter(Stage::Working);
    Ok(Received { bytes, _room: room })
}

/// A reply of JSON. The permit goes back when it is sent.
pub(crate) fn json(status: StatusCode, bytes: Vec<u8>, permit: Option<Arc<OwnedSemaphorePermit>>) -> Response {
    let body = Body::new(Whole { rest: Bytes::from(bytes), _permit: permit });
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// A reply that goes out piece by piece, so that its end is near when its last piece is taken.
#[derive(Debug)]
struct Whole {
    rest: Bytes,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.rest.len().min(PIECE);
        Poll::Ready((size > 0).then(|| Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// The body of any reply; it tells the connection what it is at.
#[derive(Debug)]
pub(crate) struct Sent {
    body: Body,
    pulse: Pulse,
}

impl Sent {
    pub(super) fn new(body: Body, pulse: Pulse) -> Self {
        let stage = match body.size_hint().exact() {
            Some(size) => Stage::Sending(Instant::now(), usize::try_from(size).unwrap_or(usize::MAX)),
            None => Stage::Streaming(Instant::now()),
        };
        pulse.enter(stage);
        Self { body, pulse }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // It is asked for more when the reader has taken what came before.
        self.pulse.taken();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.pulse.enter(Stage::Idle(Instant::now()));
    }
}
