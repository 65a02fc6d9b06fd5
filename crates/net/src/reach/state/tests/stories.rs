//! One network after another.

use super::*;

const HOME: &str = "/ip4/192.168.1.5";
const ROUTER: &str = "/ip4/11.1.1.21/tcp/26385";
const ROUTER_OWN_PORT: &str = "/ip4/11.1.1.21/tcp/6001";
const RELAY: &str = "/ip4/11.1.1.10";
const OTHER_RELAY: &str = "/ip4/11.9.1.10";

#[test]
fn node_starts_as_if_it_were_reached() {
    let mut node = Node::new(true, &[]);
    assert_eq!(node.actions(), [Action::ServeDht(true), Action::ServeRelay(false)]);
    assert_eq!(node.state.reach(), Reach::Unknown);
    node.listens("/ip4/127.0.0.1");
    node.listens(HOME);
    let actions = node.actions();
    assert_eq!(texts(&told(&actions).unwrap().everywhere), Vec::<String>::new());
    assert_eq!(
        texts(&told(&actions).unwrap().nearby),
        ["/ip4/192.168.1.5/tcp/6001", "/ip4/192.168.1.5/udp/6001/quic-v1"],
        "loopback is told to nobody"
    );
    assert_eq!(node.wait(secs(3600)), [], "nothing follows from silence");
}

#[test]
fn address_that_the_user_names_makes_public_at_once() {
    let mut node = Node::new(false, &["/ip4/11.1.1.21/tcp/6001"]);
    let actions = untold(node.actions());
    assert_eq!(
        actions,
        [
            Action::AddExternal(addr(ROUTER_OWN_PORT)),
            Action::ServeDht(true),
            Action::ServeRelay(true),
            public(&[ROUTER_OWN_PORT], false)
        ]
    );
    // Whatever peers say.
    node.listens(HOME);
    node.meets_relay(2, RELAY, ROUTER);
    assert_eq!(node.tested(ROUTER_OWN_PORT, 2, false), []);
    assert_eq!(untold(node.wait(secs(600))), []);
}

#[test]
fn public_server_is_confirmed_by_the_first_peer_that_comes() {
    let mut node = Node::on(false, &[RELAY]);
    assert_eq!(
        texts(&node.state.advertised().everywhere),
        ["/ip4/11.1.1.10/tcp/6001", "/ip4/11.1.1.10/udp/6001/quic-v1"],
        "a public address of its own is told untested"
    );
    let visitor = node.is_dialled(peer(2), "/ip4/11.1.1.21/tcp/50000", "/ip4/11.1.1.10/tcp/6001");
    let actions = node.hears(peer(2), visitor, "/ip4/11.1.1.10/tcp/6001", false, &["/ip4/192.168.1.5/tcp/6001"]);
    assert_eq!(
        untold(actions),
        [
            Action::AddExternal(addr("/ip4/11.1.1.10/tcp/6001")),
            Action::ServeRelay(true),
            public(&["/ip4/11.1.1.10/tcp/6001"], false)
        ]
    );
}

#[test]
fn public_server_behind_a_firewall_is_private_once_two_tests_fail() {
    let mut node = Node::on(false, &[RELAY]);
    assert_eq!(node.meets_relay(2, OTHER_RELAY, "/ip4/11.1.1.10/tcp/6001"), []);
    let actions = node.tested("/ip4/11.1.1.10/tcp/6001", 2, false);
    assert_eq!(untold(actions.clone()), [], "one test may err");
    assert_eq!(texts(&told(&actions).unwrap().everywhere), ["/ip4/11.1.1.10/udp/6001/quic-v1"], "but that is not told");
    let actions = node.tested("/ip4/11.1.1.10/udp/6001/quic-v1", 2, false);
    assert_eq!(untold(actions), [reserve(2, OTHER_RELAY), Action::ServeDht(false), Action::Changed(Reach::Hidden)]);
}

#[test]
fn peer_that_we_dialled_proves_nothing_by_coming() {
    // Our own dial may have opened the firewall for it.
    let mut node = Node::on(false, &[RELAY]);
    node.dials(peer(2), "/ip4/11.1.1.21/tcp/6001");
    let visitor = node.is_dialled(peer(2), "/ip4/11.1.1.21/tcp/50000", "/ip4/11.1.1.10/tcp/6001");
    assert_eq!(node.hears(peer(2), visitor, "/ip4/11.1.1.10/tcp/6001", false, &[]), []);
    // Nor does one that punched a hole.
    let relayed = format!("{OTHER_RELAY}/tcp/6001/p2p/{}/p2p-circuit", peer(9));
    node.is_dialled(peer(3), &format!("/p2p/{}", peer(3)), &relayed);
    let visitor = node.is_dialled(peer(3), "/ip4/11.1.1.22/tcp/6001", "/ip4/11.1.1.10/tcp/6001");
    assert_eq!(node.hears(peer(3), visitor, "/ip4/11.1.1.10/tcp/6001", false, &[]), []);
    assert_eq!(node.state.reach(), Reach::Unknown);
}

#[test]
fn home_behind_nat_reserves_at_once_and_is_private_after_a_while() {
    let mut node = Node::on(false, &[HOME]);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), [reserve(2, RELAY)]);
    let actions = node.is_accepted(2, RELAY);
    assert_eq!(untold(actions.clone()), [Action::Changed(Reach::Relayed { through: vec![identity(2)] })]);
    assert_eq!(told(&actions).unwrap().everywhere, [circuit(2, RELAY)]);
    assert_eq!(node.wait(secs(29)), [], "it may be reached yet");
    assert_eq!(node.wait(secs(1)), [Action::ServeDht(false)]);
}

#[test]
fn second_relay_is_of_another_group() {
    let mut node = Node::on(false, &[HOME]);
    let relay = node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    let same = node.dials(peer(3), "/ip4/11.1.1.11/tcp/6001");
    let other = node.dials(peer(4), "/ip4/11.9.1.10/tcp/6001");
    // They tell what they are before anything is known of a NAT.
    for (number, connection) in [(2, relay), (3, same), (4, other)] {
        node.state
            .peers
            .identified(&peer(number), &Said { observed: Multiaddr::empty(), listen: vec![], relays: true });
        let _ = connection;
    }
    let actions = node.hears(peer(2), relay, ROUTER, true, &[]);
    assert_eq!(actions, [reserve(2, RELAY), reserve(4, OTHER_RELAY)]);
    let mut identities = vec![identity(2), identity(4)];
    identities.sort_unstable();
    node.is_accepted(2, RELAY);
    node.is_accepted(4, OTHER_RELAY);
    assert_eq!(node.state.reach(), Reach::Relayed { through: identities });
}

#[test]
fn relay_that_goes_is_replaced() {
    let mut node = Node::on(false, &[HOME]);
    node.meets_relay(2, RELAY, ROUTER);
    node.is_accepted(2, RELAY);
    node.wait(secs(60));
    let listener = node.listener(peer(2));
    node.tell(Fact::NotListening(circuit(2, RELAY).with(Protocol::P2p(peer(1)))));
    node.tell(Fact::Closed { peer: peer(2), connection: ConnectionId::new_unchecked(1) });
    let actions = node.tell(Fact::ListenerClosed(listener));
    assert_eq!(actions, [Action::Changed(Reach::Hidden)]);
    assert_eq!(node.meets_relay(3, OTHER_RELAY, ROUTER), [reserve(3, OTHER_RELAY)]);
    let actions = node.is_accepted(3, OTHER_RELAY);
    assert_eq!(untold(actions), [Action::Changed(Reach::Relayed { through: vec![identity(3)] })]);
}

#[test]
fn relay_that_does_not_know_its_address_yet_is_asked_again() {
    let mut node = Node::on(false, &[HOME]);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), [reserve(2, RELAY)]);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let listener = node.listener(peer(2));
        assert_eq!(node.tell(Fact::ListenerClosed(listener)), []);
        let before = node.now;
        while node.wait(Duration::from_millis(500)).iter().all(|action| *action != reserve(2, RELAY)) {
            assert!(node.now.since(before) < secs(700), "the relay is never asked again");
        }
        waits.push(node.now.since(before).as_secs());
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]);
}

#[test]
fn relay_that_does_not_answer_is_given_up() {
    let mut node = Node::on(false, &[HOME]);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), [reserve(2, RELAY)]);
    let listener = node.listener(peer(2));
    assert_eq!(node.wait(secs(14)), []);
    assert_eq!(node.wait(secs(1)), [Action::Unreserve { relay: peer(2), listener }]);
    // Its late answer is not wanted any more.
    let late = circuit(2, RELAY).with(Protocol::P2p(peer(1)));
    assert_eq!(node.tell(Fact::Confirmed(late.clone())), [Action::RemoveExternal(late)]);
}

#[test]
fn router_that_forwards_the_port_makes_relays_needless() {
    let mut node = Node::on(true, &[HOME]);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), [], "the router is given a moment");
    node.wait(secs(1));
    node.state.handle(node.now, Fact::Confirmed(addr(ROUTER_OWN_PORT)));
    let actions = node.tell(Fact::Mapped(addr(ROUTER_OWN_PORT)));
    assert_eq!(untold(actions.clone()), [Action::ServeRelay(true), public(&[ROUTER_OWN_PORT], true)]);
    assert_eq!(texts(&told(&actions).unwrap().everywhere), [ROUTER_OWN_PORT]);
    assert_eq!(node.wait(secs(60)), []);
    // The lease is not renewed.
    node.state.handle(node.now, Fact::Expired(addr(ROUTER_OWN_PORT)));
    let actions = node.actions();
    assert!(actions.contains(&reserve(2, RELAY)), "{actions:?}");
    assert!(actions.contains(&Action::ServeRelay(false)), "{actions:?}");
}

#[test]
fn silent_router_is_not_waited_for() {
    let mut node = Node::on(true, &[HOME]);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), []);
    assert_eq!(node.wait(secs(3)), [reserve(2, RELAY)]);
    let mut node = Node::on(true, &[HOME]);
    assert_eq!(node.tell(Fact::NoGateway), []);
    assert_eq!(node.meets_relay(2, RELAY, ROUTER), [reserve(2, RELAY)]);
    node.is_accepted(2, RELAY);
    // It may have been switched off; a node that needs it looks again, less and less often.
    let searches: Vec<u64> = (0..4 * 3600).filter(|_| node.wait(secs(1)).contains(&Action::SearchGateway)).collect();
    assert_eq!(searches, [29, 89, 209, 449, 929, 1889, 3809, 7409, 11009]);
}

#[test]
fn port_forwarded_by_hand_is_found_and_relays_are_released() {
    let mut node = Node::on(false, &[HOME]);
    node.meets_relay(2, RELAY, ROUTER);
    node.is_accepted(2, RELAY);
    let listener = node.listener(peer(2));
    assert_eq!(node.tested(ROUTER, 2, false), [Action::ServeDht(false)]);
    let actions = untold(node.tested(ROUTER_OWN_PORT, 2, true));
    assert_eq!(
        actions,
        [
            Action::Unreserve { relay: peer(2), listener },
            Action::RemoveExternal(circuit(2, RELAY).with(Protocol::P2p(peer(1)))),
            Action::ServeDht(true),
            Action::ServeRelay(true),
            public(&[ROUTER_OWN_PORT], false)
        ]
    );
}

#[test]
fn forwarded_port_is_believed_of_visitors_of_two_groups_only() {
    let mut node = Node::on(false, &[HOME]);
    let here = "/ip4/192.168.1.5/tcp/6001";
    let one = node.is_dialled(peer(2), "/ip4/11.1.1.30/tcp/50000", here);
    node.hears(peer(2), one, ROUTER_OWN_PORT, false, &[]);
    let neighbour = node.is_dialled(peer(3), "/ip4/11.1.1.31/tcp/50000", here);
    node.hears(peer(3), neighbour, ROUTER_OWN_PORT, false, &[]);
    assert_eq!(node.state.reach(), Reach::Unknown);
    let other = node.is_dialled(peer(4), "/ip4/11.9.1.30/tcp/50000", here);
    let actions = untold(node.hears(peer(4), other, ROUTER_OWN_PORT, false, &[]));
    assert_eq!(
        actions,
        [Action::AddExternal(addr(ROUTER_OWN_PORT)), Action::ServeRelay(true), public(&[ROUTER_OWN_PORT], false)]
    );
}

#[test]
fn neighbour_can_not_say_whether_strangers_reach_us() {
    let mut node = Node::on(false, &[HOME]);
    node.dials(peer(2), "/ip4/192.168.1.7/tcp/6001");
    node.tested(ROUTER_OWN_PORT, 2, true);
    assert_eq!(node.state.reach(), Reach::Unknown);
    node.tested(ROUTER_OWN_PORT, 2, false);
    node.tested("/ip4/11.1.1.21/udp/6001/quic-v1", 2, false);
    assert_eq!(node.state.reach(), Reach::Unknown);
}

#[test]
fn local_network_serves_its_own_dht_and_relays_nothing() {
    let mut node = Node::on(false, &[HOME]);
    let neighbour = node.is_dialled(peer(2), "/ip4/192.168.1.7/tcp/6001", "/ip4/192.168.1.5/tcp/6001");
    let listen = ["/ip4/192.168.1.7/tcp/6001"];
    let actions = node.hears(peer(2), neighbour, "/ip4/192.168.1.5/tcp/6001", false, &listen);
    assert_eq!(
        actions,
        [
            Action::AddExternal(addr("/ip4/192.168.1.5/tcp/6001")),
            Action::Changed(Reach::Local { addresses: vec!["/ip4/192.168.1.5/tcp/6001".to_owned()] })
        ]
    );
    assert_eq!(node.wait(secs(3600)), []);
}

#[test]
fn router_between_private_networks_makes_a_relay_of_whom_both_reach() {
    // The relay of a private wide area: homes behind routers come to it, whose own addresses are others.
    let mut relay = Node::on(false, &["/ip4/10.77.0.10"]);
    let home = relay.is_dialled(peer(2), "/ip4/10.77.0.21/tcp/26385", "/ip4/10.77.0.10/tcp/6001");
    let actions = relay.hears(peer(2), home, "/ip4/10.77.0.10/tcp/6001", false, &["/ip4/192.168.1.5/tcp/6001"]);
    assert_eq!(
        untold(actions),
        [
            Action::AddExternal(addr("/ip4/10.77.0.10/tcp/6001")),
            Action::ServeRelay(true),
            Action::Changed(Reach::Local { addresses: vec!["/ip4/10.77.0.10/tcp/6001".to_owned()] })
        ]
    );
    // As soon as there is a public network, only what is reached there relays.
    let public = relay.dials(peer(3), "/ip4/11.1.1.10/tcp/6001");
    let actions = untold(relay.hears(peer(3), public, "/ip4/11.5.5.5/tcp/30000", false, &[]));
    assert_eq!(actions, [Action::ServeRelay(false)]);
    // And a home there.
    let mut home = Node::on(false, &[HOME]);
    let actions = home.meets_relay(2, "/ip4/10.77.0.10", "/ip4/10.77.0.21/tcp/26385");
    assert_eq!(actions, [reserve(2, "/ip4/10.77.0.10")]);
    let actions = home.is_accepted(2, "/ip4/10.77.0.10");
    assert_eq!(told(&actions).unwrap().everywhere, []);
    assert!(told(&actions).unwrap().nearby.contains(&circuit(2, "/ip4/10.77.0.10")));
}

#[test]
fn home_that_loses_its_uplink_serves_the_dht_of_its_own_network() {
    let mut node = Node::on(false, &[HOME]);
    node.meets_relay(2, RELAY, ROUTER);
    node.is_accepted(2, RELAY);
    node.wait(secs(30));
    node.dials(peer(3), "/ip4/192.168.1.7/tcp/6001");
    let listener = node.listener(peer(2));
    node.tell(Fact::Closed { peer: peer(2), connection: ConnectionId::new_unchecked(1) });
    node.tell(Fact::ListenerClosed(listener));
    assert_eq!(node.wait(secs(59)), []);
    assert_eq!(node.wait(secs(1)), [Action::ServeDht(true)]);
    let actions = node.meets_relay(2, RELAY, ROUTER);
    assert_eq!(actions, [Action::ServeDht(false), reserve(2, RELAY)]);
}

#[test]
fn laptop_that_changes_networks_begins_anew() {
    let mut node = Node::on(true, &[HOME]);
    node.tell(Fact::NoGateway);
    node.meets_relay(2, RELAY, ROUTER);
    node.is_accepted(2, RELAY);
    node.tested(ROUTER_OWN_PORT, 2, true);
    assert!(matches!(node.state.reach(), Reach::Public { .. }));
    node.wait(secs(100));
    let home = "192.168.1.5".parse().unwrap();
    let actions = untold(node.loses(HOME));
    assert_eq!(
        actions,
        [
            Action::Lost { ip: home, relays: vec![] },
            Action::RemoveExternal(addr(ROUTER_OWN_PORT)),
            Action::ServeRelay(false),
            Action::Changed(Reach::Unknown)
        ]
    );
    node.tell(Fact::Closed { peer: peer(2), connection: ConnectionId::new_unchecked(1) });
    node.wait(secs(5));
    // There is a new network, with a router that may do what the old one did not.
    node.listens("/ip4/10.3.3.3");
    assert_eq!(untold(node.actions()), [Action::Gained("10.3.3.3".parse().unwrap())]);
    assert_eq!(node.wait(secs(1)), [Action::SearchGateway]);
    assert_eq!(node.tell(Fact::NoGateway), []);
    assert_eq!(node.meets_relay(2, RELAY, "/ip4/11.4.4.4/tcp/1000"), [reserve(2, RELAY)]);
}

#[test]
fn relays_are_dialled_again_from_the_next_network() {
    let mut node = Node::on(false, &[HOME]);
    node.meets_relay(2, RELAY, ROUTER);
    node.is_accepted(2, RELAY);
    let actions = untold(node.loses(HOME));
    assert_eq!(actions, [Action::Lost { ip: "192.168.1.5".parse().unwrap(), relays: vec![peer(2)] }]);
    // The connection is closed, and the reservation with it; another is asked for as soon as the relay is there again.
    let listener = node.listener(peer(2));
    node.tell(Fact::Closed { peer: peer(2), connection: ConnectionId::new_unchecked(1) });
    node.tell(Fact::ListenerClosed(listener));
    node.wait(secs(2));
    node.listens("/ip4/10.3.3.3");
    node.actions();
    assert_eq!(node.meets_relay(2, RELAY, "/ip4/11.4.4.4/tcp/1000"), [reserve(2, RELAY)]);
}

#[test]
fn network_that_is_known_is_trusted_again() {
    // Dial-back tests each address but once.
    let mut node = Node::on(false, &[HOME]);
    let relay = node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    node.hears(peer(2), relay, ROUTER, false, &[]);
    node.tested(ROUTER_OWN_PORT, 2, true);
    node.loses(HOME);
    node.tell(Fact::Closed { peer: peer(2), connection: relay });
    node.listens("/ip4/10.3.3.3");
    let relay = node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    node.hears(peer(2), relay, "/ip4/11.4.4.4/tcp/1000", false, &[]);
    assert_eq!(node.state.reach(), Reach::Unknown);
    node.loses("/ip4/10.3.3.3");
    node.listens(HOME);
    node.actions();
    let relay = node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    let actions = untold(node.hears(peer(2), relay, ROUTER, false, &[]));
    assert_eq!(
        actions,
        [Action::AddExternal(addr(ROUTER_OWN_PORT)), Action::ServeRelay(true), public(&[ROUTER_OWN_PORT], false)]
    );
}

#[test]
fn address_of_a_router_that_was_renumbered_is_given_up() {
    let mut node = Node::on(false, &[HOME]);
    let one = node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    let other = node.dials(peer(3), "/ip4/11.9.1.10/tcp/6001");
    node.hears(peer(2), one, ROUTER, false, &[]);
    node.tested(ROUTER_OWN_PORT, 2, true);
    node.wait(secs(1));
    assert_eq!(node.hears(peer(2), one, "/ip4/11.1.1.99/tcp/4000", false, &[]), [], "one peer may lie");
    let actions = untold(node.hears(peer(3), other, "/ip4/11.1.1.99/tcp/4000", false, &[]));
    assert_eq!(
        actions,
        [Action::RemoveExternal(addr(ROUTER_OWN_PORT)), Action::ServeRelay(false), Action::Changed(Reach::Unknown)]
    );
    assert_eq!(node.wait(secs(30)), [Action::ServeDht(false), Action::Changed(Reach::Hidden)]);
}

#[test]
fn one_liar_does_not_hide_a_public_server() {
    let mut node = Node::on(false, &[RELAY]);
    let honest = node.dials(peer(2), "/ip4/11.7.1.10/tcp/6001");
    node.hears(peer(2), honest, "/ip4/11.1.1.10/tcp/6001", false, &[]);
    let liar = node.dials(peer(3), "/ip4/11.9.1.10/tcp/6001");
    node.hears(peer(3), liar, "/ip4/11.1.1.99/tcp/4000", false, &[]);
    assert_eq!(untold(node.wait(secs(120))), []);
    assert_eq!(node.state.reach(), Reach::Unknown);
}

#[test]
fn websocket_of_a_confirmed_port_is_told_too() {
    let mut node = Node::on(false, &[HOME]);
    node.state.handle(node.now, Fact::Listening(addr("/ip4/192.168.1.5/tcp/6001/ws")));
    node.dials(peer(2), "/ip4/11.1.1.10/tcp/6001");
    let actions = node.tested(ROUTER_OWN_PORT, 2, true);
    assert_eq!(texts(&told(&actions).unwrap().everywhere), ["/ip4/11.1.1.21/tcp/6001", "/ip4/11.1.1.21/tcp/6001/ws"]);
}
