//! Does what the machines want: how we are reached, by which way peers are, the DHT, the topics.

use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, kad};
use yap_protocol::Timestamp;
use yap_protocol::address::Scope;
use yap_protocol::io::Command;
use yap_protocol::link::Purpose;
use yap_protocol::peers::ban::Target;

use super::swarm::Relaying;
use super::{Engine, failure};
use crate::address;
use crate::event::{Event, Notice};
use crate::limits::Ban;
use crate::reach::{Action, paths};
use crate::topics;

/// A peer that floods us is not let in again for so long.
const FLOOD_BAN: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// Most sessions that are kept in mind after they were lost with an address of ours.
pub(super) const LOST: usize = 128;

impl Engine {
    /// What the machine of reachability wants.
    pub(super) fn follow_reach(&mut self) {
        while let Some(action) = self.reach.poll() {
            tracing::debug!(?action, "reach");
            let now = self.clock.now();
            match action {
                Action::Reserve { relay, address } => {
                    let listener = self
                        .swarm
                        .listen_on(address)
                        .inspect_err(|error| tracing::debug!(%error, "no reservation"))
                        .ok();
                    self.reach.reserving(now, relay, listener);
                }
                Action::Unreserve { relay, listener } => {
                    self.unreserve(relay, Relaying::ForUs);
                    self.swarm.behaviour_mut().relayed.release(listener);
                    self.swarm.remove_listener(listener);
                }
                Action::ServeDht(serve) => {
                    if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                        kad.set_mode(Some(if serve { kad::Mode::Server } else { kad::Mode::Client }));
                    }
                }
                Action::ServeRelay(serve) => {
                    if let Some(relay) = self.swarm.behaviour_mut().relay.as_mut() {
                        relay.serve(serve);
                    }
                }
                Action::AddExternal(address) => self.swarm.add_external_address(address),
                Action::RemoveExternal(address) => self.swarm.remove_external_address(&address),
                Action::Advertise(advertised) => self.advertise(advertised),
                Action::Changed(reach) => {
                    self.notice(Notice::Reach(reach));
                    self.status_is_old();
                }
                Action::SearchGateway => {
                    if let Some(gateway) = self.swarm.behaviour_mut().gateway.as_mut() {
                        gateway.search();
                    }
                }
                Action::Lost { ip, relays } => {
                    self.swarm.behaviour_mut().candidates.forget();
                    self.paths.lost(now, ip, &relays);
                    self.follow_paths();
                }
                Action::Gained(_) => {
                    self.paths.gained(now);
                    self.follow_paths();
                }
                Action::Disconnect(peer) => {
                    let _ = self.swarm.disconnect_peer_id(peer);
                }
            }
        }
    }

    /// What the machine of the ways to peers wants.
    pub(super) fn follow_paths(&mut self) {
        while let Some(action) = self.paths.poll() {
            tracing::debug!(?action, "paths");
            match action {
                paths::Action::Move { peer, to } => self.move_session(peer, to),
                paths::Action::Close(connection) => {
                    for session in self.sessions.on(connection) {
                        if let Some((peer, link)) = self.sessions.link(session)
                            && (self.lost.len() < LOST || self.lost.contains_key(&peer))
                        {
                            self.lost.insert(peer, link.clone());
                        }
                        self.retire(session);
                    }
                    self.swarm.close_connection(connection);
                }
                paths::Action::Redial(peer) => self.redial(peer),
                paths::Action::Changed { peer, path } => {
                    if let Some(peer) = address::identity(&peer) {
                        self.notice(Notice::Path { peer, path });
                    }
                    self.status_is_old();
                }
            }
        }
    }

    /// Dials a peer again whose session was lost with our address: the other end can't know where we are now.
    fn redial(&mut self, peer: PeerId) {
        let Some(identity) = address::identity(&peer) else { return };
        let lost = self.lost.get(&peer).and_then(|link| Some((link.address.clone(), link.purpose?)));
        let known = self.book.addresses(&peer).first().and_then(|best| address::of_peer(best, identity));
        if let Some((mut address, purpose)) = lost.or_else(|| Some((known?, Purpose::Full))) {
            // As the node knows it, so that what was named stays so; but nobody else will do.
            address.identity = Some(identity);
            self.dial_anew(address, purpose);
        }
    }

    /// What the DHT tells.
    pub(super) fn kad_event(&mut self, event: kad::Event) {
        if let kad::Event::RoutingUpdated { peer, addresses, .. } = &event {
            self.routed(*peer, addresses.iter().cloned().collect());
        }
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            self.service.event(kad, event, std::time::Instant::now());
        }
        self.status_is_old();
    }

    /// What the topics tell.
    pub(super) fn topic_event(&mut self, event: topics::Event) {
        match event {
            topics::Event::Message(message) => self.tell(Event::Topic(message)),
            topics::Event::Unheard(id) => tracing::debug!(%id, "nobody has subscribed to what was published"),
            topics::Event::Flooding(peer) => {
                tracing::debug!(%peer, "floods topics");
                match self.connections.iter().find(|(_, (other, _))| *other == peer) {
                    Some((connection, _)) => self.cut_off(peer, *connection),
                    None => self.ban_for_flood(Ban::Peer(peer)),
                }
            }
        }
    }

    /// Parts from a peer that floods us, and lets neither it nor others from its host in for a while. Hosts of our own
    /// network have more than one user.
    pub(super) fn cut_off(&mut self, peer: PeerId, connection: ConnectionId) {
        let remote = self.connections.get(&connection).map(|(_, point)| point.get_remote_address());
        let host = remote
            .filter(|remote| !address::is_circuit(remote) && address::scope(remote) == Some(Scope::Public))
            .and_then(address::ip_of);
        self.ban_for_flood(Ban::Peer(peer));
        if let Some(host) = host {
            self.ban_for_flood(Ban::Host(host));
        }
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Refuses somebody who floods us. The node is told, so that the user finds it among all bans and can lift it.
    fn ban_for_flood(&mut self, who: Ban) {
        self.ban(who, FLOOD_BAN);
        if let Some(target) = failure::target(who) {
            let until = Timestamp(self.clock.wall().0.saturating_add(FLOOD_BAN.as_secs()));
            self.tell(Event::Command(Command::Ban(target, until)));
        }
    }

    /// The node lets somebody in again.
    pub(super) fn lift(&mut self, target: &Target) {
        if let Some(who) = failure::ban(target) {
            self.swarm.behaviour_mut().limits.lift(who);
        }
    }

    pub(super) fn ban(&mut self, who: Ban, time: std::time::Duration) {
        if let Some(until) = tokio::time::Instant::now().checked_add(time) {
            self.swarm.behaviour_mut().limits.ban(who, until);
        }
    }
}
