//! What peers tell, and what becomes a candidate of it.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers of our own")]

mod swarm;

use super::seen::{BURST, LIFETIME, MAX_PER_GROUP, REFILL};
use super::*;
use std::time::Duration;

const RELAY: &str = "/ip4/11.1.1.10/udp/6001/quic-v1";

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

struct Node {
    seen: Seen,
    listeners: Vec<Multiaddr>,
    now: Instant,
}

impl Node {
    fn new(ip: &str) -> Self {
        let listeners =
            ["tcp/6001", "udp/6001/quic-v1", "tcp/6001/ws"].map(|rest| addr(&format!("{ip}/{rest}"))).to_vec();
        let now = Instant::now();
        Self { seen: Seen::new(now), listeners, now }
    }

    fn hears_over(&mut self, reuses: bool, observer: &str, address: &str) -> Vec<String> {
        let (address, observer) = (addr(address), addr(observer));
        let listeners: Vec<&Multiaddr> = self.listeners.iter().collect();
        let observation = Observation { address: &address, observer: &observer, reuses, listeners: &listeners };
        self.seen.observe(self.now, &observation).iter().map(ToString::to_string).collect()
    }

    fn hears(&mut self, observer: &str, address: &str) -> Vec<String> {
        self.hears_over(true, observer, address)
    }

    fn wait(&mut self, wait: Duration) {
        self.now += wait;
    }
}

#[test]
fn port_that_a_nat_maps_is_told_as_it_is_and_as_it_may_be_forwarded() {
    let mut node = Node::new("/ip4/192.168.1.5");
    assert_eq!(
        node.hears(RELAY, "/ip4/11.1.1.21/udp/26385/quic-v1"),
        ["/ip4/11.1.1.21/udp/26385/quic-v1", "/ip4/11.1.1.21/udp/6001/quic-v1"]
    );
    assert_eq!(node.hears(RELAY, "/ip4/11.1.1.21/tcp/26385"), ["/ip4/11.1.1.21/tcp/26385", "/ip4/11.1.1.21/tcp/6001"]);
    assert_eq!(node.hears(RELAY, "/ip4/11.1.1.21/tcp/26385"), Vec::<String>::new(), "once");
}

#[test]
fn port_that_is_kept_is_told_once() {
    let mut node = Node::new("/ip4/192.168.1.5");
    assert_eq!(node.hears(RELAY, "/ip4/11.1.1.21/udp/6001/quic-v1"), ["/ip4/11.1.1.21/udp/6001/quic-v1"]);
}

#[test]
fn port_of_a_dial_is_no_candidate() {
    // Without the port of our listener, what is seen is what the system, or the NAT, gave to that dial.
    let mut node = Node::new("/ip4/192.168.1.5");
    assert_eq!(node.hears_over(false, RELAY, "/ip4/11.1.1.21/tcp/40000"), ["/ip4/11.1.1.21/tcp/6001"]);
    let mut node = Node::new("/ip4/11.1.1.21");
    assert_eq!(node.hears(RELAY, "/ip4/11.1.1.21/tcp/40000"), ["/ip4/11.1.1.21/tcp/6001"]);
}

#[test]
fn only_what_can_be_punched_and_leads_somewhere_is_a_candidate() {
    let mut node = Node::new("/ip4/192.168.1.5");
    for junk in [
        "/ip4/11.1.1.21/tcp/6001/ws",
        "/ip4/11.1.1.21/tcp/6001/tls/ws",
        "/ip4/11.1.1.21/udp/6001",
        "/ip4/11.1.1.21/udp/6001/quic",
        "/ip4/11.1.1.21/tcp/0",
        "/ip4/127.0.0.1/tcp/6001",
        "/ip4/0.0.0.0/tcp/6001",
        "/ip4/224.0.0.1/udp/6001/quic-v1",
        "/ip6/fe80::1/tcp/6001",
        "/dns4/example.org/tcp/6001",
        "/memory/7",
        "/ip4/11.1.1.10/tcp/6001/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq/p2p-circuit",
        "/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq",
        "/ip4/11.1.1.21",
    ] {
        assert_eq!(node.hears(RELAY, junk), Vec::<String>::new(), "{junk}");
    }
    let with_name = "/ip4/11.1.1.21/tcp/6001/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq";
    assert_eq!(node.hears(RELAY, with_name), ["/ip4/11.1.1.21/tcp/6001"], "the name is left out");
}

#[test]
fn private_address_is_a_candidate_among_private_peers_only() {
    let mut node = Node::new("/ip4/192.168.1.5");
    assert_eq!(node.hears(RELAY, "/ip4/10.77.0.21/tcp/6001"), Vec::<String>::new());
    assert_eq!(node.hears("/ip4/10.77.0.10/tcp/6001", "/ip4/10.77.0.21/tcp/6001"), ["/ip4/10.77.0.21/tcp/6001"]);
}

#[test]
fn candidates_are_few_and_of_one_group_fewer() {
    let mut node = Node::new("/ip4/192.168.1.5");
    let see = |node: &mut Node, group: u8, number: u8| {
        node.wait(Duration::from_secs(1));
        node.hears_over(false, &format!("/ip4/11.{group}.1.1/tcp/1"), &format!("/ip4/11.200.{group}.{number}/tcp/6001"))
    };
    for number in 1..=u8::try_from(MAX_PER_GROUP).unwrap() {
        assert_eq!(see(&mut node, 1, number).len(), 1);
    }
    assert_eq!(node.seen.addresses().count(), MAX_PER_GROUP);
    assert_eq!(see(&mut node, 1, 99).len(), 1, "a newer one takes the place of its oldest");
    assert_eq!(node.seen.addresses().count(), MAX_PER_GROUP);
    assert!(node.seen.addresses().all(|address| *address != addr("/ip4/11.200.1.1/tcp/6001")));
    for group in 2..=6 {
        see(&mut node, group, 1);
    }
    assert_eq!(node.seen.addresses().count(), MAX);
}

#[test]
fn candidate_that_two_groups_see_is_not_pushed_out() {
    let mut node = Node::new("/ip4/192.168.1.5");
    let mapped = "/ip4/11.1.1.21/udp/26385/quic-v1";
    node.hears("/ip4/11.1.1.10/tcp/1", mapped);
    node.hears("/ip4/11.9.1.10/tcp/1", mapped);
    for number in 1..200 {
        node.wait(REFILL);
        node.hears(&format!("/ip4/12.{number}.1.1/tcp/1"), &format!("/ip4/66.6.6.{number}/tcp/6001"));
        node.hears("/ip4/11.1.1.10/tcp/1", mapped);
        assert!(node.seen.addresses().any(|address| *address == addr(mapped)));
        assert!(node.seen.addresses().count() <= MAX);
    }
}

#[test]
fn liars_can_not_make_us_tell_candidates_for_ever() {
    let mut node = Node::new("/ip4/192.168.1.5");
    let mut told = 0;
    let lie = |node: &mut Node, number: u32| {
        let [_, _, a, b] = number.to_be_bytes();
        node.hears_over(false, &format!("/ip4/12.{b}.1.1/tcp/1"), &format!("/ip4/66.6.{a}.{b}/tcp/6001")).len()
    };
    for number in 0..1000 {
        told += lie(&mut node, number);
    }
    assert_eq!(told, usize::try_from(BURST).unwrap());
    node.wait(REFILL - Duration::from_millis(1));
    assert_eq!(lie(&mut node, 2000), 0);
    node.wait(Duration::from_millis(1));
    assert_eq!(lie(&mut node, 2001), 1);
    assert_eq!(lie(&mut node, 2002), 0);
}

#[test]
fn candidate_is_forgotten_when_nobody_sees_it() {
    let mut node = Node::new("/ip4/192.168.1.5");
    node.hears(RELAY, "/ip4/11.1.1.21/tcp/6001");
    node.wait(LIFETIME - Duration::from_secs(1));
    assert_eq!(node.hears(RELAY, "/ip4/11.1.1.21/tcp/6001"), ["/ip4/11.1.1.21/tcp/6001"], "told again, to be kept");
    node.wait(LIFETIME);
    node.hears(RELAY, "/ip4/11.1.1.99/tcp/6001");
    assert_eq!(node.seen.addresses().collect::<Vec<_>>(), [&addr("/ip4/11.1.1.99/tcp/6001")]);
}
