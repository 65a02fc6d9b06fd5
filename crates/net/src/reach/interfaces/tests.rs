//! Addresses that come and go, and the routing table.

use super::*;

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn address_is_lost_with_its_last_listener() {
    let mut own = Addresses::default();
    let (tcp, quic) = (addr("/ip4/192.168.1.5/tcp/6001"), addr("/ip4/192.168.1.5/udp/6001/quic-v1"));
    assert_eq!(own.add(&tcp), Change::Gained(ip("192.168.1.5")));
    assert_eq!(own.add(&quic), Change::None);
    assert_eq!(own.remove(&tcp), Change::None);
    assert!(own.has(ip("192.168.1.5")));
    assert_eq!(own.remove(&quic), Change::Lost(ip("192.168.1.5")));
    assert_eq!(own.remove(&quic), Change::None);
    assert_eq!(own.iter().count(), 0);
}

#[test]
fn circuits_are_no_addresses_of_this_machine() {
    let mut own = Addresses::default();
    let circuit = addr("/ip4/11.1.1.10/tcp/6001/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq/p2p-circuit");
    assert_eq!(own.add(&circuit), Change::None);
    assert_eq!(own.add(&addr("/memory/7")), Change::None);
}

#[test]
fn addresses_are_bounded() {
    let mut own = Addresses::default();
    for number in 0..MAX_ADDRESSES {
        assert_ne!(own.add(&addr(&format!("/ip4/10.0.0.{number}/tcp/1"))), Change::None);
    }
    assert_eq!(own.add(&addr("/ip4/10.0.1.1/tcp/1")), Change::None);
    assert_eq!(own.remove(&addr("/ip4/10.0.1.1/tcp/1")), Change::None, "nor is it lost");
    assert_eq!(own.iter().count(), MAX_ADDRESSES);
}

#[test]
fn accepted_tcp_connection_tells_its_address() {
    let nowhere: Route = |_| None;
    let accepted = |local: &str| ConnectedPoint::Listener {
        local_addr: addr(local),
        send_back_addr: addr("/ip4/11.1.1.21/tcp/5000"),
    };
    assert_eq!(local(&accepted("/ip4/192.168.1.5/tcp/6001"), nowhere), Some(ip("192.168.1.5")));
    // QUIC accepts on all addresses at once: the way back tells.
    let routed: Route = |to| (to == "11.1.1.21:5000".parse().unwrap()).then(|| "10.3.3.3".parse().unwrap());
    assert_eq!(local(&accepted("/ip4/0.0.0.0/udp/6001/quic-v1"), routed), Some(ip("10.3.3.3")));
    assert_eq!(local(&accepted("/ip4/0.0.0.0/udp/6001/quic-v1"), nowhere), None);
}

#[test]
fn system_knows_the_way_to_this_machine() {
    assert_eq!(route("127.0.0.1:9".parse().unwrap()), Some(ip("127.0.0.1")));
}
