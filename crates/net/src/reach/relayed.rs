//! The relay client, without its panic when a reservation is given up.
//!
//! libp2p-relay 0.22 forgets the address of a reservation when the listener that stands for it is closed, and expects to
//! find it when the relay answers a request that was under way (`priv_client.rs`, "Relay connection exist"). A relay that
//! answers slowly, or makes us renew all the time, would bring the process down. So the client does not learn of the end
//! of a listener that we closed. Its reservation ends by itself: at the next renewal, which finds nobody listening.

use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::transport::ListenerId;
use libp2p::relay::client;
use libp2p::swarm::behaviour::{FromSwarm, ListenerClosed};
use libp2p::swarm::{NetworkBehaviour, THandlerInEvent, ToSwarm};

use crate::forward::forward;

#[cfg(test)]
mod tests;

/// The relay client.
pub(crate) struct Behaviour {
    client: client::Behaviour,
    /// Listeners that we are about to close. Each leaves when its end is told, so there are no more than reservations.
    released: Vec<ListenerId>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("released", &self.released).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Guards libp2p's.
    pub(crate) fn new(client: client::Behaviour) -> Self {
        Self { client, released: Vec::new() }
    }

    /// To be called before `swarm.remove_listener`, which must follow.
    pub(crate) fn release(&mut self, listener: ListenerId) {
        self.released.push(listener);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <client::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = client::Event;

    forward!(client: pending_inbound, established_inbound, pending_outbound, established_outbound, handler_events);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenerClosed(ListenerClosed { listener_id, .. }) = &event
            && let Some(place) = self.released.iter().position(|listener| listener == listener_id)
        {
            self.released.swap_remove(place);
            return;
        }
        self.client.on_swarm_event(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.client.poll(cx)
    }
}
