//! The swarm's events, each to the part that knows what it means.

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionId, DialError as SwarmError, SwarmEvent};
use libp2p::{PeerId, identify, ping, relay, upnp};

use super::Engine;
use super::behaviour::BehaviourEvent;
use crate::address;
use crate::error::DialError;
use crate::event::Notice;
use crate::reach::{Fact, Said};
use crate::session;

/// Who relays for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relaying {
    /// They do for us.
    ForUs,
    /// We do for them.
    ForThem,
}

impl Engine {
    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connection_open(peer_id, connection_id, endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                tracing::debug!(peer = %peer_id, connection = %connection_id, ?cause, "connection closed");
                self.connection_closed(peer_id, connection_id, num_established);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.connecting_failed(connection_id, &error);
                self.forget_unreachable(peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "incoming connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.fact(Fact::Listening(address.clone()));
                self.note_in_registry();
                self.notice(Notice::Listening(address.to_string()));
                self.status_is_old();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.fact(Fact::NotListening(address.clone()));
                self.note_in_registry();
                self.notice(Notice::NotListening(address.to_string()));
                self.status_is_old();
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                for address in &addresses {
                    self.fact(Fact::NotListening(address.clone()));
                    if let Some(relay) = address::relay_of(address) {
                        self.unreserve(relay, Relaying::ForUs);
                    }
                }
                self.fact(Fact::ListenerClosed(listener_id));
                // That a relay is gone shows in how we are reached; another is asked.
                let ours = addresses.iter().find(|address| !address::is_circuit(address));
                if let (Err(error), Some(address)) = (reason, ours) {
                    self.notice(Notice::Listener { address: address.to_string(), why: error.to_string() });
                }
                self.status_is_old();
            }
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "a listener had an error"),
            SwarmEvent::ExternalAddrConfirmed { address } => self.fact(Fact::Confirmed(address)),
            SwarmEvent::ExternalAddrExpired { address } => self.fact(Fact::Expired(address)),
            SwarmEvent::IncomingConnection { .. }
            | SwarmEvent::Dialing { .. }
            | SwarmEvent::NewExternalAddrCandidate { .. }
            | SwarmEvent::NewExternalAddrOfPeer { .. } => {}
            // The type may grow.
            _ => {}
        }
    }

    fn connection_open(&mut self, peer: PeerId, connection: ConnectionId, point: ConnectedPoint) {
        tracing::debug!(%peer, %connection, ?point, "connection open");
        let now = self.clock.now();
        self.paths.connected(now, peer, connection, &point);
        self.lost.remove(&peer);
        self.connections.insert(connection, (peer, point.clone()));
        self.fact(Fact::Connected { peer, connection, point });
        self.follow_paths();
        self.connected(peer, connection);
        self.status_is_old();
    }

    fn connection_closed(&mut self, peer: PeerId, connection: ConnectionId, left: u32) {
        let now = self.clock.now();
        self.opening_failed(connection, DialError::Closed);
        self.not_moved(connection);
        self.sessions.cut(connection);
        self.paths.closed(now, connection);
        self.fact(Fact::Closed { peer, connection });
        self.follow_paths();
        self.connections.remove(&connection);
        if left == 0 {
            self.reserved.remove(&(peer, Relaying::ForUs));
            self.reserved.remove(&(peer, Relaying::ForThem));
            if self.swarm.behaviour().kad.is_enabled() {
                self.service.peer_lost(&peer, std::time::Instant::now());
            }
        }
        self.status_is_old();
    }

    /// A relay has a reservation of ours, or we have one of a peer's: the connection is used, with or without a session.
    fn reserve(&mut self, peer: PeerId, relaying: Relaying) {
        self.reserved.insert((peer, relaying));
        for connection in self.direct(peer) {
            self.swarm.behaviour_mut().limits.used(connection, true);
        }
    }

    /// A reservation has ended: without a session, the connection makes room for others.
    pub(super) fn unreserve(&mut self, peer: PeerId, relaying: Relaying) {
        if !self.reserved.remove(&(peer, relaying)) || self.is_reserved(&peer) {
            return;
        }
        for connection in self.direct(peer) {
            if self.sessions.on(connection).is_empty() {
                self.swarm.behaviour_mut().limits.used(connection, false);
            }
        }
    }

    pub(super) fn is_reserved(&self, peer: &PeerId) -> bool {
        [Relaying::ForUs, Relaying::ForThem].iter().any(|relaying| self.reserved.contains(&(*peer, *relaying)))
    }

    fn direct(&self, peer: PeerId) -> Vec<ConnectionId> {
        let theirs = self.connections.iter().filter(|(_, (other, point))| *other == peer && !point.is_relayed());
        theirs.map(|(connection, _)| *connection).collect()
    }

    /// A peer that is not there any more is no use in the routing table: whoever asks us would go after it too.
    fn forget_unreachable(&mut self, peer: Option<PeerId>, error: &SwarmError) {
        let gone = matches!(error, SwarmError::Transport(_) | SwarmError::NoAddresses | SwarmError::WrongPeerId { .. });
        let Some(peer) = peer.filter(|_| gone) else { return };
        if self.swarm.is_connected(&peer) {
            return;
        }
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            self.service.unreachable(kad, &peer, std::time::Instant::now());
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Session(event) => self.session_event(event),
            BehaviourEvent::Candidates(event) => self.introduction(event),
            BehaviourEvent::Kad(event) => self.kad_event(event),
            BehaviourEvent::Topics(event) => self.topic_event(event),
            BehaviourEvent::Mdns(event) => self.multicast(event),
            BehaviourEvent::Probe(event) => self.fact(Fact::Tested {
                address: event.tested_addr,
                server: event.server,
                reachable: event.result.is_ok(),
            }),
            BehaviourEvent::Gateway(event) => match event {
                upnp::Event::NewExternalAddr { external_addr, .. } => self.fact(Fact::Mapped(external_addr)),
                upnp::Event::ExpiredExternalAddr { external_addr, .. } => self.fact(Fact::Unmapped(external_addr)),
                upnp::Event::GatewayNotFound | upnp::Event::NonRoutableGateway => self.fact(Fact::NoGateway),
            },
            BehaviourEvent::Relayed(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
                self.reserve(relay_peer_id, Relaying::ForUs);
                self.fact(Fact::Reserved { relay: relay_peer_id });
            }
            BehaviourEvent::Punch(event) => {
                tracing::debug!(peer = %event.remote_peer_id, result = ?event.result, "hole punching");
                if let Ok(connection) = event.result {
                    self.paths.punched(self.clock.now(), connection);
                    self.follow_paths();
                }
            }
            BehaviourEvent::Ping(event) => {
                if let Err(error @ (ping::Failure::Timeout | ping::Failure::Other { .. })) = event.result {
                    tracing::debug!(peer = %event.peer, %error, "does not answer");
                    self.swarm.close_connection(event.connection);
                }
            }
            BehaviourEvent::Relay(relay::Event::ReservationReqAccepted { src_peer_id, .. }) => {
                self.reserve(src_peer_id, Relaying::ForThem);
            }
            BehaviourEvent::Relay(
                relay::Event::ReservationClosed { src_peer_id } | relay::Event::ReservationTimedOut { src_peer_id },
            ) => self.unreserve(src_peer_id, Relaying::ForThem),
            BehaviourEvent::Limits(_)
            | BehaviourEvent::Prober(_)
            | BehaviourEvent::Relay(_)
            | BehaviourEvent::Relayed(_) => {}
        }
    }

    fn session_event(&mut self, event: session::Event) {
        match event {
            session::Event::Opened { peer, connection, direction, stream } => {
                self.opened(peer, connection, direction, stream);
            }
            session::Event::Failed { peer, connection, why } => {
                tracing::debug!(%peer, %connection, ?why, "no session");
                self.not_moved(connection);
                let why = match why {
                    session::OpenError::WrongChain => DialError::WrongChain { chain: self.chain.name.clone() },
                    session::OpenError::Timeout | session::OpenError::Closed => DialError::Unreachable,
                };
                self.opening_failed(connection, why);
            }
            session::Event::Flooded { peer, connection } => {
                tracing::debug!(%peer, "opens more streams than it may");
                self.cut_off(peer, connection);
            }
        }
    }

    fn introduction(&mut self, event: identify::Event) {
        if let identify::Event::Received { peer_id, connection_id, info } = event {
            let said = Said::of(&info);
            self.fact(Fact::Identified { peer: peer_id, connection: connection_id, said });
            let over = self.connections.get(&connection_id).map(|(_, point)| point.get_remote_address().clone());
            self.introduced(peer_id, &info, over.as_ref());
        }
    }

    /// Tells the machine that knows how we are reached, and does what it wants.
    pub(super) fn fact(&mut self, fact: Fact) {
        self.reach.handle(self.clock.now(), fact);
        self.follow_reach();
    }

    pub(super) fn reach_deadline(&mut self) {
        let now = self.clock.now();
        self.reach.deadline(now);
        self.follow_reach();
        self.paths.deadline(now);
        self.follow_paths();
    }
}
