//! How many connections, from whom.
//!
//! [`Behaviour`] is asked before every connection. It MUST be the first field of the swarm's behaviour: what a later one
//! has noted of a connection that an earlier one refuses, it keeps for ever (gossipsub and kad do). A refusal is a
//! [`Denied`], to which the cause of a `ListenError::Denied` or `DialError::Denied` downcasts.

use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::config;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// There are as many connections as there may be, and all of them are used.
    #[error("this node has as many connections as it may")]
    Full,
    /// There are as many from the same network group, or through the same relay.
    #[error("this node has as many connections with that network as it may")]
    Group,
    /// There are as many with the same peer.
    #[error("this node has as many connections with that peer as it may")]
    PerPeer,
    /// As many handshakes are under way.
    #[error("too many handshakes are under way")]
    Pending,
    /// Connections come too fast, from one group or altogether.
    #[error("connections come too fast")]
    Rate,
    /// The process uses as much memory as it may.
    #[error("this node uses as much memory as it may")]
    Memory,
    /// The peer or its host is banned.
    #[error("that peer is banned")]
    Banned,
}

/// Whose connections are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ban {
    /// A peer, however it is reached.
    Peer(PeerId),
    /// A host; of IPv6 its /64. Relayed connections don't come from the relay's host, so that they stay.
    Host(IpAddr),
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Handshakes under way that others began.
    pub(crate) pending_inbound: usize,
    /// Dials of ours under way.
    pub(crate) pending_outbound: usize,
    /// Those that others opened to us directly.
    pub(crate) inbound: usize,
    /// Those that others opened to us through a relay.
    pub(crate) relayed: usize,
    /// Those that we opened.
    pub(crate) outbound: usize,
    /// Those of others that were told to make room and have not closed yet; in none of the above.
    pub(crate) closing: usize,
}

/// Decides which connections are let in. See the module.
#[derive(Debug)]
pub(crate) struct Behaviour {
    limits: config::Limits,
}

impl Behaviour {
    pub(crate) fn new(limits: &config::Limits) -> Self {
        Self { limits: limits.clone() }
    }

    /// A session runs on a connection, or none does any more. One that is not used makes room when a newcomer needs it,
    /// and is closed after a while when there are many.
    pub(crate) fn used(&mut self, _connection: ConnectionId, _used: bool) {}

    /// Refuses whoever it is until then, and closes what is open.
    pub(crate) fn ban(&mut self, _who: Ban, _until: Instant) {}

    /// How many connections there are.
    pub(crate) fn counts(&self) -> Counts {
        Counts::default()
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
