//! The session streams of one connection, while they are negotiated.
//!
//! A connection is kept by the streams themselves: libp2p counts those that live, whoever holds them, and those that are
//! being negotiated. So the handler asks for no more, and the connection falls to the idle timeout of the swarm when the
//! last session on it has ended.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};
use tokio::time::Instant;

use super::behaviour::OpenError;

/// Time for a stream that we open to be negotiated.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams that a peer may open on one connection within [`STREAM_WINDOW`]. It needs one, and another when a session ended
/// and is begun anew.
pub(super) const STREAMS: usize = 8;

/// The time in which a peer may open [`STREAMS`].
pub(super) const STREAM_WINDOW: Duration = Duration::from_secs(60);

/// Open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open;

/// What the handler tells.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The peer opened a stream.
    Inbound(Stream),
    /// What became of the one that we wanted.
    Outbound(Result<Stream, OpenError>),
    /// The peer opened more than [`STREAMS`].
    Flooded,
}

/// The session streams of one connection.
#[derive(Debug)]
pub(crate) struct Handler {
    protocol: StreamProtocol,
    /// A stream is wanted, and was not asked for yet.
    wanted: bool,
    flood: Flood,
    /// At most [`STREAMS`] inbound, one outbound, and that it was too many.
    outcomes: VecDeque<Outcome>,
}

impl Handler {
    pub(super) fn new(protocol: StreamProtocol) -> Self {
        Self { protocol, wanted: false, flood: Flood::default(), outcomes: VecDeque::new() }
    }

    fn inbound(&mut self, stream: Stream) {
        match self.flood.opened(Instant::now()) {
            Admission::Taken => self.outcomes.push_back(Outcome::Inbound(stream)),
            Admission::FirstTooMany => self.outcomes.push_back(Outcome::Flooded),
            Admission::Refused => {}
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Outcome;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ()).with_timeout(OPEN_TIMEOUT)
    }

    fn connection_keep_alive(&self) -> bool {
        self.wanted
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted = true;
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Outcome>> {
        if let Some(outcome) = self.outcomes.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if std::mem::take(&mut self.wanted) {
            let protocol = self.listen_protocol();
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        // What changes this comes by the two methods around it, after which the connection polls again.
        Poll::Pending
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "streams alone matter; what peers support shows when one is opened"
    )]
    fn on_connection_event(&mut self, event: ConnectionEvent<'_>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.inbound(stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                self.outcomes.push_back(Outcome::Outbound(Ok(stream)));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                let why = match error {
                    StreamUpgradeError::NegotiationFailed => OpenError::WrongChain,
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::Io(_) => OpenError::Closed,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.outcomes.push_back(Outcome::Outbound(Err(why)));
            }
            _ => {}
        }
    }
}

type ConnectionEvent<'a> =
    libp2p::swarm::handler::ConnectionEvent<'a, ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>;

/// Counts what the peer opens.
#[derive(Debug, Default)]
struct Flood {
    /// When the window began, and how many were opened in it.
    window: Option<(Instant, usize)>,
    flooded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Taken,
    FirstTooMany,
    Refused,
}

impl Flood {
    fn opened(&mut self, now: Instant) -> Admission {
        if self.flooded {
            return Admission::Refused;
        }
        let (begun, count) = match self.window {
            Some((begun, count)) if now.duration_since(begun) < STREAM_WINDOW => (begun, count.saturating_add(1)),
            Some(_) | None => (now, 1),
        };
        self.window = Some((begun, count));
        self.flooded = count > STREAMS;
        if self.flooded { Admission::FirstTooMany } else { Admission::Taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_may_open_some_streams_in_a_window_and_no_more() {
        let (start, mut flood) = (Instant::now(), Flood::default());
        for _ in 0..STREAMS {
            assert_eq!(flood.opened(start), Admission::Taken);
        }
        assert_eq!(flood.opened(start + STREAM_WINDOW - Duration::from_millis(1)), Admission::FirstTooMany);
        assert_eq!(flood.opened(start + STREAM_WINDOW * 9), Admission::Refused, "once is enough");
    }

    #[test]
    fn a_stream_that_is_not_negotiated_in_time_is_told_of() {
        let mut handler = Handler::new(StreamProtocol::new("/yap/00000000/1"));
        assert!(!handler.connection_keep_alive());
        handler.on_behaviour_event(Open);
        assert!(handler.connection_keep_alive(), "until the connection sees that a stream is wanted");
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        let Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) = handler.poll(&mut cx) else {
            panic!("a stream is wanted");
        };
        assert_eq!(*protocol.timeout(), OPEN_TIMEOUT);
        assert!(handler.poll(&mut cx).is_pending(), "one, and no more");
        let error = StreamUpgradeError::Timeout;
        handler.on_connection_event(ConnectionEvent::DialUpgradeError(DialUpgradeError { info: (), error }));
        let event = handler.poll(&mut cx);
        let told = Outcome::Outbound(Err(OpenError::Timeout));
        assert_eq!(format!("{event:?}"), format!("{:?}", Poll::Ready(notify(told))));
    }

    fn notify(outcome: Outcome) -> ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Outcome> {
        ConnectionHandlerEvent::NotifyBehaviour(outcome)
    }

    #[test]
    fn a_new_window_begins_when_the_last_has_passed() {
        let (start, mut flood) = (Instant::now(), Flood::default());
        for window in 0..3 {
            for _ in 0..STREAMS {
                assert_eq!(flood.opened(start + STREAM_WINDOW * window), Admission::Taken);
            }
        }
    }
}
