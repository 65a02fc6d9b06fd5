//! What addresses tell.

use super::*;

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

const RELAY: &str = "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq";

#[test]
fn scopes() {
    for (address, expected) in [
        ("/ip4/11.1.1.10/tcp/6001", Some(Scope::Public)),
        ("/ip4/192.168.1.5/tcp/6001", Some(Scope::Private)),
        ("/ip4/100.64.1.1/tcp/6001", Some(Scope::Private)),
        ("/ip4/127.0.0.1/tcp/6001", Some(Scope::Loopback)),
        ("/ip4/0.0.0.0/tcp/6001", None),
        ("/ip6/2a00::5/tcp/6001", Some(Scope::Public)),
        ("/ip6/fd00::5/tcp/6001", Some(Scope::Private)),
        ("/ip6/fe80::5/tcp/6001", None),
        ("/ip6/::ffff:192.168.1.5/tcp/6001", Some(Scope::Private)),
        ("/dns4/example.org/tcp/6001", Some(Scope::Public)),
        ("/dns/peer-0.local/tcp/6001", Some(Scope::Private)),
        ("/memory/7", Some(Scope::Loopback)),
        ("/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq", None),
    ] {
        assert_eq!(scope(&addr(address)), expected, "{address}");
    }
    assert_eq!(scope(&Multiaddr::empty()), None);
    assert_eq!(scope(&addr(&format!("/ip4/10.0.0.1/tcp/1/p2p/{RELAY}/p2p-circuit"))), Some(Scope::Private));
}

#[test]
fn circuit_names_its_relay() {
    let circuit = addr(&format!("/ip4/11.1.1.10/tcp/6001/p2p/{RELAY}/p2p-circuit/p2p/{RELAY}"));
    assert_eq!(relay(&circuit), Some(RELAY.parse().unwrap()));
    assert!(is_circuit(&circuit));
    assert_eq!(relay(&addr(&format!("/ip4/11.1.1.10/tcp/6001/p2p/{RELAY}"))), None);
    assert_eq!(relay(&addr("/p2p-circuit")), None);
    assert_eq!(relay(&addr("/ip4/11.1.1.10/tcp/6001/p2p-circuit")), None);
    assert_eq!(first(&circuit), addr("/ip4/11.1.1.10/tcp/6001"));
    assert_eq!(first(&addr("/p2p-circuit")), Multiaddr::empty());
    assert_eq!(bare(&circuit), addr(&format!("/ip4/11.1.1.10/tcp/6001/p2p/{RELAY}/p2p-circuit")));
    assert_eq!(bare(&bare(&circuit)), bare(&circuit));
}

#[test]
fn hosts_of_one_link_are_near() {
    let near = |one: &str, other: &str| is_near(one.parse().unwrap(), other.parse().unwrap());
    assert!(near("192.168.1.5", "192.168.1.200"));
    assert!(!near("192.168.1.5", "192.168.2.5"));
    assert!(near("2a00:1:2:3::5", "2a00:1:2:3::9"));
    assert!(!near("2a00:1:2:3::5", "2a00:1:2:4::5"));
    assert!(!near("192.168.1.5", "::1"));
}
