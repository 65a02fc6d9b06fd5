//! How much of the node requests may take. Whoever wants more is refused, and the node goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Connections at a time.
pub const CONNECTIONS: usize = 256;

/// Connections at a time from one address (IPv6: from one network of 64 bits); this machine itself may have all.
pub const CONNECTIONS_PER_ADDRESS: usize = 64;

/// Longest head of a request, bytes.
pub const HEAD_BYTES: usize = 16 << 10;

/// Most headers of a request.
pub const HEADERS: usize = 100;

/// Time in which the head of a request comes, once it has begun.
pub const HEAD_TIME: Duration = Duration::from_secs(10);

/// Time for which a connection may wait for its next request.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Longest body with the cookie, bytes: the longest block, as `submitblock` takes it, has 8,000,000 digits; a batch may
/// have several.
pub const BODY: usize = 32 << 20;

/// Longest body without the cookie, bytes.
pub const BODY_OPEN: usize = 1 << 20;

/// Time for a body or a reply, whatever its size; then [`RATE`] must be kept, on average.
pub const TRANSFER_TIME: Duration = Duration::from_secs(30);

/// Least rate of a body or a reply after that time, bytes per second.
pub const RATE: usize = 64 << 10;

/// Bodies held at a time with the cookie, bytes all together.
pub const BODIES: usize = 128 << 20;

/// Bodies held at a time without the cookie, bytes all together.
pub const BODIES_OPEN: usize = 16 << 20;

/// Requests answered at a time with the cookie.
pub const REQUESTS: usize = 64;

/// Requests answered at a time without the cookie.
pub const REQUESTS_OPEN: usize = 32;

/// Time for which a request waits for its turn.
pub const TURN: Duration = Duration::from_secs(5);

/// Values in a body with the cookie: numbers, strings, lists and so on. A value in memory is far larger than its text.
pub const VALUES: usize = 500_000;

/// Values in a body without the cookie.
pub const VALUES_OPEN: usize = 50_000;

/// Levels of lists and objects in one another in a body.
pub const DEPTH: usize = 64;

/// Requests in a batch.
pub const BATCH: usize = 1_000;

/// Bytes of a batch's replies after which no further request of it is answered.
pub const BATCH_REPLY: usize = 64 << 20;

/// Event streams at a time.
pub const STREAMS: usize = 64;

/// Time for which a reader of events may take nothing before it is dropped.
pub const STREAM_STALL: Duration = Duration::from_secs(60);

/// Time between comments that keep an event stream open.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Time by which the answer to wrong credentials is delayed, as Bitcoin Core delays it.
pub const WRONG_CREDENTIALS: Duration = Duration::from_millis(250);

/// Time that requests get to end when the server stops.
pub const STOP: Duration = Duration::from_secs(2);

/// How much requests may take: the constants of this module, unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after the constant that documents it")]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    pub head_time: Duration,
    pub idle_time: Duration,
    pub body: usize,
    pub body_open: usize,
    pub transfer_time: Duration,
    pub rate: usize,
    pub bodies: usize,
    pub bodies_open: usize,
    pub requests: usize,
    pub requests_open: usize,
    pub turn: Duration,
    pub batch: usize,
    pub batch_reply: usize,
    pub streams: usize,
    pub stream_stall: Duration,
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            head_time: HEAD_TIME,
            idle_time: IDLE_TIME,
            body: BODY,
            body_open: BODY_OPEN,
            transfer_time: TRANSFER_TIME,
            rate: RATE,
            bodies: BODIES,
            bodies_open: BODIES_OPEN,
            requests: REQUESTS,
            requests_open: REQUESTS_OPEN,
            turn: TURN,
            batch: BATCH,
            batch_reply: BATCH_REPLY,
            streams: STREAMS,
            stream_stall: STREAM_STALL,
            keep_alive: KEEP_ALIVE,
        }
    }
}

impl Limits {
    /// Time in which so many bytes must have passed.
    pub(crate) fn transfer(&self, bytes: usize) -> Duration {
        let seconds = bytes.checked_div(self.rate).unwrap_or_default();
        self.transfer_time.saturating_add(Duration::from_secs(seconds as u64))
    }
}

/// What requests of one kind share. Those with the cookie and those without do not take from one another.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Longest body, bytes.
    pub(crate) body: usize,
    /// Most values in a body.
    pub(crate) values: usize,
    bodies: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    turn: Duration,
    width: usize,
}

/// Bodies are accounted for in pieces of this size, bytes.
const PIECE: usize = 1 << 10;

impl Lane {
    pub(crate) fn owner(limits: &Limits) -> Self {
        Self::new(limits.body, VALUES, limits.bodies, limits.requests, limits.turn)
    }

    pub(crate) fn open(limits: &Limits) -> Self {
        Self::new(limits.body_open, VALUES_OPEN, limits.bodies_open, limits.requests_open, limits.turn)
    }

    fn new(body: usize, values: usize, bodies: usize, width: usize, turn: Duration) -> Self {
        let bodies = Arc::new(Semaphore::new(bodies.div_ceil(PIECE).min(Semaphore::MAX_PERMITS)));
        Self { body, values, bodies, requests: Arc::new(Semaphore::new(width)), turn, width }
    }

    /// Room for so many bytes of a body, if there is any.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        Arc::clone(&self.bodies).try_acquire_many_owned(pieces).ok()
    }

    /// Makes a body's room large enough for so many bytes, if that can be.
    pub(crate) fn widen(&self, room: &mut OwnedSemaphorePermit, bytes: usize) -> Option<()> {
        let missing = bytes.saturating_sub(room.num_permits().saturating_mul(PIECE));
        room.merge(self.room(missing)?);
        Some(())
    }

    /// A request's turn; none if it does not come in time.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        match Arc::clone(&self.requests).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(TryAcquireError::Closed) => None,
            Err(TryAcquireError::NoPermits) => {
                let turn = Arc::clone(&self.requests).acquire_owned();
                tokio::time::timeout(self.turn, turn).await.ok()?.ok()
            }
        }
    }

    /// Waits until no request is being answered.
    pub(crate) async fn quiet(&self) {
        let all = u32::try_from(self.width).unwrap_or(u32::MAX);
        // It is never closed, and the permits go back at once.
        let _ = self.requests.acquire_many(all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_their_room() {
        let lane = Lane::open(&Limits { bodies_open: 4 << 10, ..Limits::default() });
        let held = lane.room(3 << 10);
        assert!(held.is_some());
        assert!(lane.room(1 << 10).is_some());
        assert!(lane.room((1 << 10) + 1).is_none(), "one past the bound");
        drop(held);
        assert!(lane.room(4 << 10).is_some());
        let mut grown = lane.room(0).unwrap();
        for bytes in [1, 2, 1 << 10, (1 << 10) + 1, 4 << 10] {
            assert_eq!(lane.widen(&mut grown, bytes), Some(()));
            assert_eq!(grown.num_permits(), bytes.div_ceil(PIECE), "small pieces do not take more");
        }
        assert_eq!(lane.widen(&mut grown, (4 << 10) + 1), None);
    }

    #[test]
    fn the_documented_bounds_are_those_that_hold() {
        let page = include_str!("../../../../docs/http.md");
        let mib = |bytes: usize| bytes >> 20;
        let kib = |bytes: usize| bytes >> 10;
        let grouped = |number: usize| match (number / 1000, number % 1000) {
            (0, rest) => rest.to_string(),
            (thousands, rest) => format!("{thousands},{rest:03}"),
        };
        let lines = [
            format!("| body | {} MiB | {} MiB |", mib(BODY), mib(BODY_OPEN)),
            format!("| bodies at a time, together | {} MiB | {} MiB |", mib(BODIES), mib(BODIES_OPEN)),
            format!("| values in a body | {} | {} |", grouped(VALUES), grouped(VALUES_OPEN)),
            format!("| requests at a time | {REQUESTS} | {REQUESTS_OPEN} |"),
            format!("| connections | {CONNECTIONS}; {CONNECTIONS_PER_ADDRESS} from one address"),
            format!("| head of a request | {} KiB, {HEADERS} headers, {} s |", kib(HEAD_BYTES), HEAD_TIME.as_secs()),
            format!("| body, reply | {} s, then {} KiB each second |", TRANSFER_TIME.as_secs(), kib(RATE)),
            format!("| waiting for the next request | {} s |", IDLE_TIME.as_secs()),
            format!("| levels of lists and objects | {DEPTH} |"),
            format!("| batch | {} requests; none is answered after {} MiB", grouped(BATCH), mib(BATCH_REPLY)),
            format!("| event streams | {STREAMS} |"),
            format!("| requests that are being answered at a stop | {} s |", STOP.as_secs()),
        ];
        for line in lines {
            assert!(page.contains(&line), "docs/http.md lacks: {line}");
        }
    }
}
