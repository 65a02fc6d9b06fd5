//! Stories of connections, and whatever happens in any order.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers of our own")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::identity::Keypair;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};

use super::redial::{MAX, WAITS};
use super::*;
use crate::status::Via;

fn peer(number: u8) -> PeerId {
    Keypair::ed25519_from_bytes([number; 32]).unwrap().public().to_peer_id()
}

const WIFI: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));
const CABLE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 3, 3, 3));

/// Networks 12 and up are reached by cable, others by Wi-Fi.
fn route(to: SocketAddr) -> Option<IpAddr> {
    match to.ip() {
        IpAddr::V4(ip) if ip.octets()[0] >= 12 => Some(CABLE),
        IpAddr::V4(_) => Some(WIFI),
        IpAddr::V6(_) => None,
    }
}

fn dialled(to: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer { address: to.parse().unwrap(), role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
}

fn came(from: &str, to: &str) -> ConnectedPoint {
    ConnectedPoint::Listener { local_addr: to.parse().unwrap(), send_back_addr: from.parse().unwrap() }
}

fn circuit(relay: u8) -> String {
    format!("/ip4/11.1.1.10/udp/6001/quic-v1/p2p/{}/p2p-circuit", peer(relay))
}

fn identity(number: u8) -> yap_protocol::address::Identity {
    crate::address::identity(&peer(number)).unwrap()
}

struct Node {
    state: State,
    now: Time,
    connections: usize,
}

impl Node {
    fn new(us: u8) -> Self {
        Self { state: State::new(peer(us), route), now: Time::from_secs(1000), connections: 0 }
    }

    fn opens(&mut self, with: u8, point: &ConnectedPoint) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId::new_unchecked(self.connections);
        self.state.connected(self.now, peer(with), connection, point);
        connection
    }

    fn closes(&mut self, connection: ConnectionId) -> Vec<Action> {
        self.state.closed(self.now, connection);
        self.actions()
    }

    fn session(&mut self, connection: ConnectionId, opener: Direction) -> Vec<Action> {
        self.state.session(self.now, connection, opener);
        self.actions()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.state.poll()).collect()
    }

    fn wait(&mut self, wait: Duration) -> Vec<Action> {
        let until = self.now.after(wait);
        while let Some(deadline) = self.state.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.state.deadline(self.now);
        }
        self.now = until;
        self.actions()
    }
}

fn changed(with: u8, path: Path) -> Action {
    Action::Changed { peer: peer(with), path }
}

/// Us, and a peer with a greater name; and the other way round.
fn ordered() -> (u8, u8) {
    if peer(1) < peer(2) { (1, 2) } else { (2, 1) }
}

#[test]
fn session_tells_its_way() {
    let mut node = Node::new(1);
    for (with, point, path) in [
        (2, dialled("/ip4/11.1.1.10/tcp/6001"), Path::Direct(Via::Tcp)),
        (
            3,
            dialled("/ip4/11.1.1.10/udp/6001/quic-v1/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"),
            Path::Direct(Via::Quic),
        ),
        (4, came("/ip4/11.1.1.10/tcp/999/ws", "/ip4/192.168.1.5/tcp/6001/ws"), Path::Direct(Via::WebSocket)),
        (5, dialled("/dns4/a.example/tcp/443/tls/ws"), Path::Direct(Via::SecureWebSocket)),
        (6, came("/memory/7", "/memory/8"), Path::Direct(Via::Memory)),
        (7, dialled(&format!("{}/p2p/{}", circuit(2), peer(7))), Path::Relayed(identity(2))),
        (8, came(&format!("/p2p/{}", peer(8)), &circuit(3)), Path::Relayed(identity(3))),
    ] {
        let connection = node.opens(with, &point);
        assert_eq!(node.state.path(connection), Some(path.clone()));
        assert_eq!(node.session(connection, Direction::Inbound), [changed(with, path)]);
        assert_eq!(node.session(connection, Direction::Inbound), [], "once");
    }
}

#[test]
fn relay_that_came_to_us_is_known_by_its_address() {
    // libp2p does not name it where the connection with it was opened by it.
    let mut node = Node::new(1);
    node.opens(3, &came("/ip4/11.1.1.10/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    let relayed = node.opens(2, &came(&format!("/p2p/{}", peer(2)), "/ip4/11.1.1.10/tcp/50000/p2p-circuit"));
    assert_eq!(node.session(relayed, Direction::Inbound), [changed(2, Path::Relayed(identity(3)))]);
    // One that nobody is known to relay is not taken for a direct one.
    let unknown = node.opens(4, &came(&format!("/p2p/{}", peer(4)), "/ip4/11.9.9.9/tcp/50000/p2p-circuit"));
    assert_eq!(node.session(unknown, Direction::Inbound), []);
    assert_eq!(node.state.path(unknown), None);
    node.state.ended(node.now, &peer(4));
    assert_eq!(node.wait(IDLE_GRACE), [Action::Close(unknown)]);
}

#[test]
fn relayed_session_moves_when_a_hole_is_punched() {
    let mut opener = Node::new(1);
    let mut other = Node::new(2);
    let relayed = opener.opens(2, &dialled(&format!("{}/p2p/{}", circuit(3), peer(2))));
    let relayed_there = other.opens(1, &came(&format!("/p2p/{}", peer(1)), &circuit(3)));
    assert_eq!(opener.session(relayed, Direction::Outbound), [changed(2, Path::Relayed(identity(3)))]);
    assert_eq!(other.session(relayed_there, Direction::Inbound), [changed(1, Path::Relayed(identity(3)))]);
    opener.wait(Duration::from_millis(80));
    other.wait(Duration::from_millis(80));
    // QUIC gets through both ways: each end has its own dial, and the other's.
    let own = opener.opens(2, &dialled("/ip4/11.1.1.22/udp/26385/quic-v1"));
    assert_eq!(opener.actions(), [Action::Move { peer: peer(2), to: own }]);
    let theirs = opener.opens(2, &came("/ip4/11.1.1.22/udp/26385/quic-v1", "/ip4/0.0.0.0/udp/6001/quic-v1"));
    opener.state.punched(opener.now, own);
    let own_there = other.opens(1, &dialled("/ip4/11.1.1.21/udp/26385/quic-v1"));
    let theirs_there = other.opens(1, &came("/ip4/11.1.1.21/udp/26385/quic-v1", "/ip4/0.0.0.0/udp/6001/quic-v1"));
    other.state.punched(other.now, own_there);
    assert_eq!(other.actions(), [], "the opener decides");
    // The session moves; what the opener dialled is what came to the other.
    let path = Path::Punched(Via::Quic);
    assert_eq!(opener.session(own, Direction::Outbound), [changed(2, path.clone())]);
    assert_eq!(other.session(theirs_there, Direction::Inbound), [changed(1, path)]);
    // Nobody needs the relay now, and the opener closes the connection that is left over.
    assert_eq!(opener.wait(RELAYED_GRACE), [Action::Close(relayed)]);
    assert_eq!(other.wait(RELAYED_GRACE), [Action::Close(relayed_there)]);
    assert_eq!(opener.closes(relayed), []);
    assert_eq!(other.closes(relayed_there), []);
    assert_eq!(opener.wait(SURPLUS_GRACE - RELAYED_GRACE), [Action::Close(theirs)]);
    assert_eq!(other.wait(Duration::from_secs(600)), []);
    opener.closes(theirs);
    assert_eq!(opener.wait(Duration::from_secs(600)), []);
}

#[test]
fn session_that_does_not_move_stays_and_is_not_pressed_for_ever() {
    let mut node = Node::new(1);
    let relayed = node.opens(2, &dialled(&format!("{}/p2p/{}", circuit(3), peer(2))));
    node.session(relayed, Direction::Outbound);
    let direct = node.opens(2, &dialled("/ip4/11.1.1.22/tcp/6001"));
    let moves = Action::Move { peer: peer(2), to: direct };
    assert_eq!(node.actions(), vec![moves.clone()]);
    assert_eq!(node.wait(MOVE * (u32::from(MOVES) - 1)), vec![moves; usize::from(MOVES) - 1]);
    assert_eq!(node.wait(Duration::from_secs(3600)), []);
    // Another connection is another chance.
    let again = node.opens(2, &dialled("/ip4/11.1.1.22/udp/6001/quic-v1"));
    assert_eq!(node.actions(), [Action::Move { peer: peer(2), to: again }]);
}

#[test]
fn session_goes_on_over_what_is_left() {
    let mut node = Node::new(1);
    let one = node.opens(2, &dialled("/ip4/11.1.1.22/tcp/6001"));
    let other = node.opens(2, &came("/ip4/11.1.1.22/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    node.session(one, Direction::Outbound);
    assert_eq!(node.closes(one), [Action::Move { peer: peer(2), to: other }]);
    assert_eq!(node.session(other, Direction::Outbound), [changed(2, Path::Direct(Via::Tcp))]);
    // If they had opened it, they would open it anew.
    let one = node.opens(3, &dialled("/ip4/11.1.1.23/tcp/6001"));
    node.opens(3, &came("/ip4/11.1.1.23/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    node.session(one, Direction::Inbound);
    assert_eq!(node.closes(one), []);
}

#[test]
fn unused_relayed_connection_is_closed_in_the_end() {
    let mut node = Node::new(1);
    let relayed = node.opens(2, &came(&format!("/p2p/{}", peer(2)), &circuit(3)));
    assert_eq!(node.wait(IDLE_GRACE - Duration::from_secs(1)), []);
    assert_eq!(node.wait(Duration::from_secs(1)), [Action::Close(relayed)]);
    // A session holds it, until it ends.
    let relayed = node.opens(4, &came(&format!("/p2p/{}", peer(4)), &circuit(3)));
    node.session(relayed, Direction::Inbound);
    assert_eq!(node.wait(Duration::from_secs(3600)), []);
    node.state.ended(node.now, &peer(4));
    assert_eq!(node.wait(IDLE_GRACE), [Action::Close(relayed)]);
}

#[test]
fn of_two_connections_without_a_session_one_end_closes_one() {
    let (small, great) = ordered();
    let mut closer = Node::new(small);
    let mut other = Node::new(great);
    let first = closer.opens(great, &dialled("/ip4/11.1.1.22/tcp/6001"));
    closer.wait(Duration::from_millis(1));
    let second = closer.opens(great, &came("/ip4/11.1.1.22/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    other.opens(small, &dialled("/ip4/11.1.1.21/tcp/6001"));
    other.opens(small, &came("/ip4/11.1.1.21/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    assert_eq!(other.wait(Duration::from_secs(600)), []);
    assert_eq!(closer.wait(Duration::from_secs(600)), [Action::Close(second)]);
    assert_eq!(closer.state.best(&peer(great)), Some(first));
}

#[test]
fn lost_address_takes_its_connections_at_once_and_sessions_come_back() {
    let mut node = Node::new(1);
    let wifi = node.opens(2, &dialled("/ip4/11.1.1.22/udp/6001/quic-v1"));
    let idle = node.opens(3, &came("/ip4/11.1.1.23/tcp/50000", "/ip4/192.168.1.5/tcp/6001"));
    let cable = node.opens(4, &dialled("/ip4/12.1.1.24/tcp/6001"));
    let relayed = node.opens(5, &dialled(&format!("{}/p2p/{}", circuit(3), peer(5))));
    let elsewhere =
        node.opens(6, &dialled(&format!("/ip4/12.1.1.24/tcp/6001/p2p/{}/p2p-circuit/p2p/{}", peer(4), peer(6))));
    for connection in [wifi, cable, relayed, elsewhere] {
        node.session(connection, Direction::Inbound);
    }
    node.actions();
    node.state.lost(node.now, WIFI, &[]);
    let actions = node.actions();
    let closed: BTreeSet<ConnectionId> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Close(connection) => Some(*connection),
            Action::Move { .. } | Action::Redial(_) | Action::Changed { .. } => None,
        })
        .collect();
    assert_eq!(closed, [wifi, idle, relayed].into(), "what ran over it, and over a relay that it led to");
    let redialled: BTreeSet<PeerId> = redials(&actions);
    assert_eq!(redialled, [peer(2), peer(5)].into(), "whose sessions ran over it");
    for connection in closed {
        assert_eq!(node.closes(connection), []);
    }
    // There is no way yet: it is tried again, and at once when there is a new address.
    assert_eq!(redials(&node.wait(WAITS[0])), [peer(2), peer(5)].into());
    node.opens(2, &dialled("/ip4/12.1.1.22/udp/6001/quic-v1"));
    node.wait(Duration::from_millis(10));
    node.state.gained(node.now);
    assert_eq!(node.actions(), [Action::Redial(peer(5))]);
    assert_eq!(node.wait(Duration::from_secs(3600)), vec![Action::Redial(peer(5)); WAITS.len()], "not for ever");
}

fn redials(actions: &[Action]) -> BTreeSet<PeerId> {
    let redials = actions.iter().filter_map(|action| match action {
        Action::Redial(peer) => Some(*peer),
        Action::Move { .. } | Action::Close(_) | Action::Changed { .. } => None,
    });
    redials.collect()
}

#[test]
fn relay_that_we_are_reached_through_is_dialled_again_without_a_session() {
    let mut node = Node::new(1);
    let relay = node.opens(2, &dialled("/ip4/11.1.1.22/udp/6001/quic-v1"));
    let other = node.opens(3, &dialled("/ip4/11.1.1.23/udp/6001/quic-v1"));
    node.state.lost(node.now, WIFI, &[peer(2)]);
    let actions = node.actions();
    assert!(actions.contains(&Action::Close(relay)) && actions.contains(&Action::Close(other)));
    assert_eq!(redials(&actions), [peer(2)].into());
}

#[test]
fn only_so_many_peers_are_dialled_again() {
    let mut redials = Redials::default();
    let name = |number: usize| {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Keypair::ed25519_from_bytes(bytes).unwrap().public().to_peer_id()
    };
    for number in 0..=MAX {
        redials.add(Time::ZERO, name(number));
    }
    let due = redials.due(Time::ZERO);
    assert_eq!(due.len(), MAX);
    assert!(!due.contains(&name(MAX)));
}

#[derive(Clone, Debug)]
enum Step {
    Open(u8, usize),
    Close(usize),
    Punched(usize),
    Session(usize, bool),
    Ended(u8),
    Lost(bool),
    Gained,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (2_u8..5, 0_usize..5).prop_map(|(peer, kind)| Step::Open(peer, kind)),
        2 => (0_usize..12).prop_map(Step::Close),
        1 => (0_usize..12).prop_map(Step::Punched),
        3 => (0_usize..12, any::<bool>()).prop_map(|(place, ours)| Step::Session(place, ours)),
        1 => (2_u8..5).prop_map(Step::Ended),
        1 => any::<bool>().prop_map(Step::Lost),
        1 => Just(Step::Gained),
        2 => (0_u64..100).prop_map(Step::Wait),
    ]
}

fn point(kind: usize, with: u8) -> ConnectedPoint {
    match kind {
        0 => dialled("/ip4/11.1.1.22/tcp/6001"),
        1 => came("/ip4/12.1.1.22/tcp/50000", "/ip4/10.3.3.3/tcp/6001"),
        2 => dialled("/ip4/12.1.1.22/udp/6001/quic-v1"),
        3 => dialled(&format!("{}/p2p/{}", circuit(2), peer(with))),
        _ => came(&format!("/p2p/{}", peer(with)), &circuit(4)),
    }
}

proptest! {
    #[test]
    fn sessions_are_never_cut_off_and_connections_never_pile_up(steps in proptest::collection::vec(step(), 1..100)) {
        let mut node = Node::new(1);
        // What the swarm has, and which sessions: connection, whose, whether relayed.
        let mut open: Vec<(ConnectionId, u8, bool)> = Vec::new();
        let mut sessions: BTreeMap<u8, ConnectionId> = BTreeMap::new();
        for step in steps {
            let is_lost = matches!(step, Step::Lost(_));
            let mut actions = Vec::new();
            match step {
                Step::Open(with, kind) => open.push((node.opens(with, &point(kind, with)), with, kind >= 3)),
                Step::Close(place) if place < open.len() => {
                    let (connection, with, _) = open.remove(place);
                    if sessions.get(&with) == Some(&connection) {
                        sessions.remove(&with);
                    }
                    node.state.closed(node.now, connection);
                }
                Step::Punched(place) if place < open.len() => node.state.punched(node.now, open[place].0),
                Step::Session(place, ours) if place < open.len() => {
                    let direction = if ours { Direction::Outbound } else { Direction::Inbound };
                    sessions.insert(open[place].1, open[place].0);
                    node.state.session(node.now, open[place].0, direction);
                }
                Step::Ended(with) => {
                    sessions.remove(&with);
                    node.state.ended(node.now, &peer(with));
                }
                Step::Lost(wifi) => node.state.lost(node.now, if wifi { WIFI } else { CABLE }, &[peer(2)]),
                Step::Gained => node.state.gained(node.now),
                Step::Wait(wait) => actions = node.wait(Duration::from_secs(wait)),
                Step::Close(_) | Step::Punched(_) | Step::Session(..) => {}
            }
            actions.extend(node.actions());
            prop_assert!(actions.len() <= 64, "{actions:?}");
            for action in actions {
                match action {
                    Action::Close(connection) => {
                        let place = open.iter().position(|(id, _, _)| *id == connection);
                        prop_assert!(place.is_some(), "closed twice");
                        let (_, with, _) = open.remove(place.unwrap());
                        let had_session = sessions.get(&with) == Some(&connection);
                        prop_assert!(is_lost || !had_session, "a session was cut off");
                        if had_session {
                            sessions.remove(&with);
                        }
                        node.state.closed(node.now, connection);
                    }
                    Action::Move { peer: name, to } => {
                        prop_assert!(open.iter().any(|(id, with, _)| *id == to && peer(*with) == name));
                    }
                    Action::Redial(_) | Action::Changed { .. } => {}
                }
            }
            node.actions();
        }
        // In the end no relayed connection is left without a session.
        for _ in 0..10 {
            for action in node.wait(Duration::from_secs(60)) {
                if let Action::Close(connection) = action {
                    open.retain(|(id, _, _)| *id != connection);
                    node.state.closed(node.now, connection);
                }
            }
        }
        for (connection, with, is_relayed) in &open {
            prop_assert!(!is_relayed || sessions.get(with) == Some(connection), "a relayed connection is left over");
        }
    }
}
