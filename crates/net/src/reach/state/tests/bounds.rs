//! Every bound, and one past it.

use super::super::evidence::{Evidence, MAX_CONFIRMED, MAX_KEPT, Source};
use super::super::relays::{MAX_ADDRESSES, MAX_HASTY, MAX_REFUSED, RESERVATIONS, Relays};
use super::super::{MAX_CIRCUITS, MAX_EXTERNAL, MAX_LISTENING, told::MAX_ADVERTISED};
use super::*;
use yap_protocol::address::{Group, Scope};

fn nat() -> Node {
    let mut node = Node::on(false, &["/ip4/192.168.1.5"]);
    node.meets_relay(2, "/ip4/11.1.1.10", "/ip4/11.1.1.21/tcp/26385");
    node
}

#[test]
fn no_more_relays_than_two_are_asked() {
    let mut node = nat();
    assert_eq!(RESERVATIONS, 2);
    assert_eq!(node.meets_relay(3, "/ip4/11.2.1.10", "/ip4/11.1.1.21/tcp/26385"), [reserve(3, "/ip4/11.2.1.10")]);
    assert_eq!(node.meets_relay(4, "/ip4/11.3.1.10", "/ip4/11.1.1.21/tcp/26385"), []);
}

#[test]
fn relay_has_few_addresses_and_public_ones_first() {
    let mut node = nat();
    node.is_accepted(2, "/ip4/11.1.1.10");
    let mut list = |ip: &str| {
        let address = addr(&format!("{ip}/tcp/6001/p2p/{}/p2p-circuit/p2p/{}", peer(2), peer(1)));
        node.tell(Fact::Listening(address));
        let told = node.state.advertised();
        let circuits = told.nearby.iter().filter(|address| address.iter().any(|part| part == Protocol::P2pCircuit));
        (told.everywhere.len(), circuits.count())
    };
    for number in 1..MAX_ADDRESSES {
        assert_eq!(list(&format!("/ip4/10.0.0.{number}")), (1, number));
    }
    assert_eq!(list("/ip4/10.0.0.9"), (1, MAX_ADDRESSES - 1), "one past the bound is left out");
    assert_eq!(list("/ip4/11.1.1.11"), (2, MAX_ADDRESSES - 2), "unless it is worth more than another");
    assert_eq!(list("/ip4/127.0.0.1"), (2, MAX_ADDRESSES - 2));
}

#[test]
fn relay_that_makes_us_renew_all_the_time_is_left() {
    let mut node = nat();
    node.is_accepted(2, "/ip4/11.1.1.10");
    for _ in 1..MAX_HASTY {
        node.wait(secs(1));
        assert_eq!(node.tell(Fact::Reserved { relay: peer(2) }), []);
    }
    node.wait(secs(1));
    let actions = node.tell(Fact::Reserved { relay: peer(2) });
    assert!(actions.contains(&Action::Disconnect(peer(2))), "{actions:?}");
    assert!(node.wait(secs(500)).iter().all(|action| *action != reserve(2, "/ip4/11.1.1.10")), "nor asked soon");
}

#[test]
fn slow_renewals_cost_nothing() {
    let mut node = nat();
    node.is_accepted(2, "/ip4/11.1.1.10");
    for _ in 0..100 {
        node.wait(secs(10));
        assert_eq!(node.tell(Fact::Reserved { relay: peer(2) }), []);
    }
}

#[test]
fn only_so_many_refusals_are_remembered() {
    let mut relays = Relays::default();
    let ask = |relays: &mut Relays, number: usize| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let relay = super::super::peers::Relay {
            peer: Keypair::ed25519_from_bytes(bytes).unwrap().public().to_peer_id(),
            base: addr("/ip4/11.1.1.10/tcp/6001"),
            group: Group::of_number(1),
            since: Time::ZERO,
        };
        let now = Time::from_micros(u64::try_from(number).unwrap());
        let asked = relays.ask(now, vec![relay.clone()]);
        relays.failed(now, &relay.peer);
        asked.is_some()
    };
    for number in 0..=MAX_REFUSED {
        assert!(ask(&mut relays, number));
    }
    assert_eq!(relays.refusals(), MAX_REFUSED);
    assert!(!ask(&mut relays, MAX_REFUSED), "the last is remembered");
    assert!(ask(&mut relays, 0), "the first is forgotten");
}

#[test]
fn lists_of_evidence_are_bounded() {
    let mut evidence = Evidence::default();
    let public = |number: usize| addr(&format!("/ip4/11.0.{}.{}/tcp/6001", number / 250, number % 250 + 1));
    for number in 0..=MAX_CONFIRMED {
        assert_eq!(evidence.confirmed(Scope::Public).count(), number);
        evidence.confirm(Time::ZERO, &public(number), Source::Tested, true);
    }
    assert_eq!(evidence.confirmed(Scope::Public).count(), MAX_CONFIRMED);
    evidence.confirm(Time::ZERO, &public(999), Source::Configured, true);
    assert!(evidence.has(&public(999)), "the user's word has room always");
    for number in 0..=MAX_KEPT {
        evidence.fail(&public(number), peer(2));
        evidence.claim(&public(number), Group::of_number(1));
        let group = Group::of_number(u64::try_from(number).unwrap());
        let _ = evidence.see(Time::ZERO, "11.5.5.5".parse().unwrap(), group, |_| false);
    }
    assert_eq!(evidence.kept(), [MAX_KEPT; 3]);
    assert!(!evidence.has_failed(&public(0)), "the oldest went");
}

#[test]
fn listening_and_external_addresses_are_bounded() {
    let mut node = Node::on(false, &[]);
    for number in 0..=MAX_LISTENING {
        node.tell(Fact::Listening(addr(&format!("/ip4/10.0.0.1/tcp/{}", number + 1))));
    }
    assert_eq!(node.state.listening.len(), MAX_LISTENING);
    assert_eq!(node.state.advertised().nearby.len(), MAX_ADVERTISED);
    for number in 0..MAX_EXTERNAL {
        assert_eq!(node.tell(Fact::Confirmed(addr(&format!("/ip4/11.0.0.1/tcp/{}", number + 1)))), []);
    }
    let one_more = addr("/ip4/11.0.0.2/tcp/1");
    assert_eq!(node.tell(Fact::Confirmed(one_more.clone())), [Action::RemoveExternal(one_more)]);
}

#[test]
fn a_peer_is_looked_for_through_so_many_relays_and_through_relays_alone() {
    let mut node = Node::on(false, &[]);
    let other = node.dials(peer(99), "/ip4/11.99.0.1/tcp/6001");
    node.hears(peer(99), other, "/ip4/11.5.5.5/tcp/6001", false, &[]);
    assert_eq!(node.state.circuits(), [], "it relays for nobody");
    for number in 0..=MAX_CIRCUITS {
        assert_eq!(node.state.circuits().len(), number);
        let number = u8::try_from(number + 10).unwrap();
        node.meets_relay(number, &format!("/ip4/11.{number}.0.1"), "/ip4/11.5.5.5/tcp/6001");
    }
    assert_eq!(node.state.circuits().len(), MAX_CIRCUITS);
    assert!((10..=18).any(|number| node.state.circuits()[0] == circuit(number, &format!("/ip4/11.{number}.0.1"))));
}
