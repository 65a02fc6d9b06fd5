//! The relay that we are for others, without its panic when it begins or ceases to be one.
//!
//! libp2p-relay 0.22 tells every connection when its status changes, but those that are relayed themselves have a handler
//! that takes no orders, and panics (`behaviour.rs`, `reconfigure_relay_status`; `either.rs`, "entered unreachable code").
//! Behind NAT there mostly are some, and turning out to be public is when a relay begins. So such orders are dropped.

use std::collections::HashSet;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::relay;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, FromSwarm};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, NotifyHandler, THandlerInEvent, ToSwarm};

use crate::forward::forward;

#[cfg(test)]
mod tests;

/// The relay.
pub(crate) struct Behaviour {
    server: relay::Behaviour,
    /// Connections that are relayed themselves. As many as the swarm has.
    relayed: HashSet<ConnectionId>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("relayed", &self.relayed).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Guards libp2p's, which does not relay until it is told to.
    pub(crate) fn new(mut server: relay::Behaviour) -> Self {
        server.set_status(Some(relay::Status::Disable));
        Self { server, relayed: HashSet::new() }
    }

    /// Relays from now on, or no more. Connections that are relayed already go on.
    pub(crate) fn serve(&mut self, on: bool) {
        self.server.set_status(Some(if on { relay::Status::Enable } else { relay::Status::Disable }));
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <relay::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = relay::Event;

    forward!(server: pending_inbound, established_inbound, pending_outbound, established_outbound, handler_events);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, endpoint, .. }) = &event
            && endpoint.is_relayed()
        {
            self.relayed.insert(*connection_id);
        }
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = &event {
            self.relayed.remove(connection_id);
        }
        self.server.on_swarm_event(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let event = self.server.poll(cx);
            let is_for_relayed = matches!(
                &event,
                Poll::Ready(ToSwarm::NotifyHandler { handler: NotifyHandler::One(connection), event: Either::Left(_), .. })
                    if self.relayed.contains(connection)
            );
            if !is_for_relayed {
                return event;
            }
        }
    }
}
