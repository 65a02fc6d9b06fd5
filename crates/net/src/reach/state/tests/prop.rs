//! Whatever happens, in whatever order: few reservations, few actions, modes that fit.

use std::collections::BTreeSet;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::super::relays::RESERVATIONS;
use super::*;

const IPS: [&str; 5] = ["/ip4/192.168.1.5", "/ip4/10.3.3.3", "/ip4/11.1.1.10", "/ip6/2a00::5", "/ip4/127.0.0.1"];
const SEEN: [&str; 6] = [
    "/ip4/11.1.1.21/tcp/26385",
    "/ip4/11.1.1.21/tcp/6001",
    "/ip4/11.1.1.10/tcp/6001",
    "/ip4/192.168.1.5/tcp/6001",
    "/ip6/2a00::5/tcp/6001",
    "/dns4/example.org/tcp/1",
];
const PEERS: [&str; 5] = ["/ip4/11.1.1.30", "/ip4/11.9.1.10", "/ip4/192.168.1.7", "/ip4/10.9.9.9", "/ip6/2b00::1"];

#[derive(Clone, Debug)]
enum Step {
    Listen(usize),
    Lose(usize),
    Dial(u8, usize),
    Come(u8, usize, usize),
    Close(usize),
    Hear(usize, usize, bool),
    Test(usize, u8, bool),
    Confirmed(usize),
    Expired(usize),
    Mapped(usize),
    Unmapped(usize),
    NoGateway,
    Reserved(u8),
    ListenerClosed(usize),
    Circuit(usize, usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        2 => (0..IPS.len()).prop_map(Listen),
        1 => (0..IPS.len()).prop_map(Lose),
        6 => (2_u8..7, 0..PEERS.len()).prop_map(|(peer, to)| Dial(peer, to)),
        1 => (2_u8..7, 0..PEERS.len(), 0..IPS.len()).prop_map(|(peer, from, to)| Come(peer, from, to)),
        3 => (0_usize..20).prop_map(Close),
        12 => (0_usize..20, 0..SEEN.len(), any::<bool>()).prop_map(|(on, seen, relays)| Hear(on, seen, relays)),
        3 => (0..SEEN.len(), 2_u8..7, 0_u8..6).prop_map(|(address, by, luck)| Test(address, by, luck == 0)),
        1 => (0..SEEN.len()).prop_map(Confirmed),
        3 => (0..SEEN.len()).prop_map(Expired),
        1 => (0..2_usize).prop_map(Mapped),
        3 => (0..2_usize).prop_map(Unmapped),
        1 => Just(NoGateway),
        2 => (2_u8..7).prop_map(Reserved),
        2 => (0_usize..20).prop_map(ListenerClosed),
        12 => (0_usize..3, 0..PEERS.len()).prop_map(|(newest, at)| Circuit(newest, at)),
        4 => (0_u64..100).prop_map(Wait),
    ]
}

struct World {
    node: Node,
    open: Vec<(PeerId, ConnectionId)>,
}

impl World {
    fn apply(&mut self, step: &Step) -> Vec<Action> {
        let node = &mut self.node;
        match step {
            Step::Listen(ip) => {
                let address = addr(&format!("{}/tcp/6001", IPS[*ip]));
                node.tell(Fact::Listening(address))
            }
            Step::Lose(ip) => {
                let address = addr(&format!("{}/tcp/6001", IPS[*ip]));
                node.tell(Fact::NotListening(address))
            }
            Step::Dial(number, to) => {
                let id = node.dials(peer(*number), &format!("{}/tcp/6001", PEERS[*to]));
                self.open.push((peer(*number), id));
                node.actions()
            }
            Step::Come(number, from, to) => {
                let (from, to) = (format!("{}/tcp/5000", PEERS[*from]), format!("{}/tcp/6001", IPS[*to]));
                let id = node.is_dialled(peer(*number), &from, &to);
                self.open.push((peer(*number), id));
                node.actions()
            }
            Step::Close(place) if *place < self.open.len() => {
                let (peer, connection) = self.open.swap_remove(*place);
                node.tell(Fact::Closed { peer, connection })
            }
            Step::Hear(on, seen, relays) if *on < self.open.len() => {
                let (peer, connection) = self.open[*on];
                node.hears(peer, connection, SEEN[*seen], *relays, &["/ip4/11.1.1.30/tcp/6001"])
            }
            Step::Test(address, by, good) => node.tested(SEEN[*address], *by, *good),
            Step::Confirmed(address) => node.tell(Fact::Confirmed(addr(SEEN[*address]))),
            Step::Expired(address) => node.tell(Fact::Expired(addr(SEEN[*address]))),
            Step::Mapped(address) => node.tell(Fact::Mapped(addr(SEEN[*address]))),
            Step::Unmapped(address) => node.tell(Fact::Unmapped(addr(SEEN[*address]))),
            Step::NoGateway => node.tell(Fact::NoGateway),
            Step::Reserved(relay) => node.tell(Fact::Reserved { relay: peer(*relay) }),
            Step::ListenerClosed(place) if *place < node.listeners.len() => {
                let (_, listener) = node.listeners[*place];
                node.tell(Fact::ListenerClosed(listener))
            }
            Step::Circuit(newest, at) => {
                let relay = node.listeners.iter().rev().nth(*newest).map(|(relay, _)| *relay);
                let number = (2..7).find(|number| Some(peer(*number)) == relay);
                number.map(|number| node.is_accepted(number, PEERS[*at])).unwrap_or_default()
            }
            Step::Wait(wait) => node.wait(secs(*wait)),
            Step::Close(_) | Step::Hear(..) | Step::ListenerClosed(_) => Vec::new(),
        }
    }
}

/// What was asked for last.
#[derive(Default)]
struct Asked {
    dht: Option<bool>,
    relay: Option<bool>,
    reach: Reach,
    external: BTreeSet<Multiaddr>,
}

impl Asked {
    /// Follows the actions; nothing may be asked for twice.
    fn follow(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::ServeDht(on) => assert_ne!(self.dht.replace(*on), Some(*on)),
                Action::ServeRelay(on) => assert_ne!(self.relay.replace(*on), Some(*on)),
                Action::Changed(reach) => {
                    assert_ne!(self.reach, *reach);
                    self.reach = reach.clone();
                }
                Action::AddExternal(address) => assert!(self.external.insert(address.clone()), "{address} twice"),
                Action::RemoveExternal(address) => {
                    self.external.remove(address);
                }
                Action::Advertise(_)
                | Action::Reserve { .. }
                | Action::Unreserve { .. }
                | Action::SearchGateway
                | Action::Lost { .. }
                | Action::Gained(_)
                | Action::Disconnect(_) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn modes_fit_what_is_known_and_nothing_is_asked_for_twice(
        upnp in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = World { node: Node::new(upnp, &[]), open: Vec::new() };
        let mut asked = Asked::default();
        world.node.listens(IPS[0]);
        asked.follow(&world.node.actions());
        for step in steps {
            let before = world.node.now;
            let mut actions = world.apply(&step);
            actions.extend(world.node.wait(secs(0)));
            if let Step::Expired(address) = &step {
                asked.external.remove(&addr(SEEN[*address]));
            }
            asked.follow(&actions);
            let waited = world.node.now.since(before).as_secs();
            prop_assert!(actions.len() as u64 <= 16 + waited, "{} actions of {step:?}: {actions:?}", actions.len());
            let state = &world.node.state;
            prop_assert!(state.relays.count() <= RESERVATIONS);
            prop_assert_eq!(asked.dht, Some(state.serves_dht()));
            prop_assert_eq!(asked.relay, Some(state.serves_relay()));
            prop_assert_eq!(&asked.reach, &state.reach());
            match state.reach() {
                Reach::Public { .. } => {
                    prop_assert!(state.serves_dht() && state.serves_relay());
                    prop_assert_eq!(state.relays.count(), 0);
                }
                Reach::Hidden | Reach::Relayed { .. } => prop_assert!(!state.is_public()),
                Reach::Unknown | Reach::Local { .. } => prop_assert!(state.serves_dht()),
            }
            prop_assert!(state.next_deadline().is_none_or(|time| time > world.node.now), "a deadline is never met");
            prop_assert!(state.peers.count() <= world.open.len());
        }
    }
}
