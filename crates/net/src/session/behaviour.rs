//! Opens and accepts session streams.
//!
//! Of every connection: at most one stream that we open is being negotiated, and an outcome is told of each
//! [`Behaviour::open`] unless one was under way already, exactly once, also if the connection closes.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use yap_protocol::link::Direction;

use super::handler::{Handler, Open, Outcome};

/// Opens and accepts session streams.
#[derive(Debug)]
pub(crate) struct Behaviour {
    protocol: StreamProtocol,
    /// Whether a stream is being opened, of every connection.
    connections: BTreeMap<ConnectionId, Opening>,
    /// At most one event of each connection's handler, as handlers wait for room, and two of each connection's own.
    pending: VecDeque<ToSwarm<Event, Open>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    No,
    Yes,
}

/// What became of a stream.
#[derive(Debug)]
pub(crate) enum Event {
    /// A stream is open. Nothing was said on it.
    Opened {
        /// With whom.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// Who opened it; outbound: we did.
        direction: Direction,
        /// The stream. The connection stays open as long as it lives.
        stream: Stream,
    },
    /// A stream that we wanted was not opened.
    Failed {
        /// With whom.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// Why.
        why: OpenError,
    },
    /// The peer opens more streams than it has use for: the connection is to be closed. Told once of each connection; no
    /// stream that the peer opens there is accepted any more.
    Flooded {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
    },
}

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// The peer does not support the protocol: it has another chain.
    #[error("the peer does not serve our chain")]
    WrongChain,
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The connection closed, or there is none of this name.
    #[error("the connection closed")]
    Closed,
}

impl Behaviour {
    /// Opens and accepts streams of this protocol alone.
    pub(crate) fn new(protocol: StreamProtocol) -> Self {
        Self { protocol, connections: BTreeMap::new(), pending: VecDeque::new() }
    }

    /// Opens a stream with a peer, on one of the connections with it. If that is under way already, nothing more is done.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId) {
        match self.connections.get_mut(&connection) {
            Some(Opening::Yes) => {}
            Some(opening @ Opening::No) => {
                *opening = Opening::Yes;
                let handler = NotifyHandler::One(connection);
                self.pending.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: Open });
            }
            None => self.failed(peer, connection, OpenError::Closed),
        }
    }

    /// Connections, in the order in which they came.
    #[cfg(test)]
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.connections.keys().copied().collect()
    }

    fn failed(&mut self, peer: PeerId, connection: ConnectionId, why: OpenError) {
        self.pending.push_back(ToSwarm::GenerateEvent(Event::Failed { peer, connection, why }));
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, .. }) = event {
            self.connections.insert(connection_id, Opening::No);
        }
        if let FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) = event {
            let opening = self.connections.remove(&connection_id);
            if opening == Some(Opening::Yes) {
                self.failed(peer_id, connection_id, OpenError::Closed);
            }
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, outcome: THandlerOutEvent<Self>) {
        let event = match outcome {
            Outcome::Inbound(stream) => Event::Opened { peer, connection, direction: Direction::Inbound, stream },
            Outcome::Flooded => Event::Flooded { peer, connection },
            Outcome::Outbound(result) => {
                if let Some(opening) = self.connections.get_mut(&connection) {
                    *opening = Opening::No;
                }
                match result {
                    Ok(stream) => Event::Opened { peer, connection, direction: Direction::Outbound, stream },
                    Err(why) => Event::Failed { peer, connection, why },
                }
            }
        };
        self.pending.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        // Only calls of the swarm and of its owner, which polls it afterwards, change this.
        self.pending.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
