//! What a behaviour that wraps another passes on as it is.

/// Methods of `NetworkBehaviour` that go to the wrapped behaviour in the field `$inner`: those that are named, of
/// `pending_inbound`, `established_inbound`, `pending_outbound`, `established_outbound` and `handler_events`.
macro_rules! forward {
    ($inner:ident: $($method:ident),+) => { $($crate::forward::forward!(@$method $inner);)+ };
    (@pending_inbound $inner:ident) => {
        fn handle_pending_inbound_connection(
            &mut self,
            connection: libp2p::swarm::ConnectionId,
            local: &libp2p::Multiaddr,
            remote: &libp2p::Multiaddr,
        ) -> Result<(), libp2p::swarm::ConnectionDenied> {
            self.$inner.handle_pending_inbound_connection(connection, local, remote)
        }
    };
    (@established_inbound $inner:ident) => {
        fn handle_established_inbound_connection(
            &mut self,
            connection: libp2p::swarm::ConnectionId,
            peer: libp2p::PeerId,
            local: &libp2p::Multiaddr,
            remote: &libp2p::Multiaddr,
        ) -> Result<libp2p::swarm::THandler<Self>, libp2p::swarm::ConnectionDenied> {
            self.$inner.handle_established_inbound_connection(connection, peer, local, remote)
        }
    };
    (@pending_outbound $inner:ident) => {
        fn handle_pending_outbound_connection(
            &mut self,
            connection: libp2p::swarm::ConnectionId,
            peer: Option<libp2p::PeerId>,
            addresses: &[libp2p::Multiaddr],
            role: libp2p::core::Endpoint,
        ) -> Result<Vec<libp2p::Multiaddr>, libp2p::swarm::ConnectionDenied> {
            self.$inner.handle_pending_outbound_connection(connection, peer, addresses, role)
        }
    };
    (@established_outbound $inner:ident) => {
        fn handle_established_outbound_connection(
            &mut self,
            connection: libp2p::swarm::ConnectionId,
            peer: libp2p::PeerId,
            address: &libp2p::Multiaddr,
            role: libp2p::core::Endpoint,
            port: libp2p::core::transport::PortUse,
        ) -> Result<libp2p::swarm::THandler<Self>, libp2p::swarm::ConnectionDenied> {
            self.$inner.handle_established_outbound_connection(connection, peer, address, role, port)
        }
    };
    (@handler_events $inner:ident) => {
        fn on_connection_handler_event(
            &mut self,
            peer: libp2p::PeerId,
            connection: libp2p::swarm::ConnectionId,
            event: libp2p::swarm::THandlerOutEvent<Self>,
        ) {
            self.$inner.on_connection_handler_event(peer, connection, event);
        }
    };
}

pub(crate) use forward;
