//! Stories of addresses, and properties of those that nobody thought of.

use proptest::prelude::*;
use yap_protocol::address::{MAX_MULTIADDR, Scope};

use super::*;
use crate::identity::{Keys, Name};
use crate::status::Via;

fn addr(text: &str) -> libp2p::Multiaddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A peer and its name.
fn somebody() -> (Identity, String) {
    let identity = Keys::generate().identity();
    (identity, Name(identity).to_string())
}

#[test]
fn the_peers_id_behind_an_address_is_its_key() {
    let (bob, name) = somebody();
    let (_, relay) = somebody();
    for place in [
        "/ip4/203.0.113.5/tcp/6001".to_owned(),
        "/ip6/::1/udp/6001/quic-v1".to_owned(),
        "/dnsaddr/seed.example.org".to_owned(),
        "/memory/7".to_owned(),
        format!("/ip4/203.0.113.5/tcp/6001/p2p/{relay}/p2p-circuit"),
    ] {
        let named = addr(&format!("{place}/p2p/{name}"));
        let ours = from_libp2p(&named).unwrap();
        assert_eq!(ours.identity, Some(bob));
        assert_eq!(ours.endpoint, Endpoint::Libp2p(encode(&addr(&place)).unwrap()));
        assert_eq!(to_libp2p(&ours), Some(named.clone()));
        assert_eq!(split(&named), (addr(&place), peer_id(&bob)));

        let anybody = from_libp2p(&addr(&place)).unwrap();
        assert_eq!(anybody, Address { identity: None, ..ours.clone() });
        assert_eq!(to_libp2p(&anybody), Some(addr(&place)));
        assert_eq!(of_peer(&addr(&place), bob), Some(ours.clone()));
        assert_eq!(of_peer(&addr(&format!("{place}/p2p/{relay}")), bob), Some(ours));
    }
}

#[test]
fn addresses_that_contradict_themselves_are_none() {
    let ((bob, bobs), (carol, carols)) = (somebody(), somebody());
    let to_bob = encode(&addr(&format!("/ip4/1.2.3.4/tcp/1/p2p/{bobs}"))).unwrap();
    let with = |identity| to_libp2p(&Address { identity, endpoint: Endpoint::Libp2p(to_bob.clone()) });
    assert_eq!(with(Some(carol)), None);
    assert_eq!(with(Some(bob)), with(None), "said twice is said once");
    for text in [
        format!("/ip4/1.2.3.4/tcp/1/p2p/{bobs}/p2p/{carols}"),
        format!("/p2p/{bobs}"),
        // The key of another kind: an RSA one's, from libp2p's specification of peer ids.
        "/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".to_owned(),
    ] {
        assert_eq!(from_libp2p(&addr(&text)), None, "{text}");
    }
    assert_eq!(from_libp2p(&libp2p::Multiaddr::empty()), None);
}

#[test]
fn the_longest_address_is_kept_and_one_byte_more_is_not() {
    let (bob, name) = somebody();
    // One byte of code, two of length, three of port and code.
    let place = |length: usize| addr(&format!("/dns/{}/tcp/6001", "a".repeat(length - 6)));
    for named in [String::new(), format!("/p2p/{name}")] {
        let with = |length| addr(&format!("{}{named}", place(length)));
        let longest = from_libp2p(&with(MAX_MULTIADDR)).unwrap();
        assert_eq!(to_libp2p(&longest), Some(with(MAX_MULTIADDR)));
        assert_eq!(longest.identity, (!named.is_empty()).then_some(bob));
        assert_eq!(from_libp2p(&with(MAX_MULTIADDR + 1)), None);
    }
}

#[test]
fn bitcoins_endpoints_are_sockets() {
    let endpoint = |ip: &str| Endpoint::Bitcoin { host: host(ip.parse().unwrap()), port: 8333 };
    assert_eq!(socket(&endpoint("1.2.3.4")), Some("1.2.3.4:8333".parse().unwrap()));
    assert_eq!(socket(&endpoint("::ffff:1.2.3.4")), Some("1.2.3.4:8333".parse().unwrap()));
    assert_eq!(socket(&endpoint("2001:470::1")), Some("[2001:470::1]:8333".parse().unwrap()));
    assert_eq!(socket(&Endpoint::Bitcoin { host: Host::Tor([1; 32]), port: 8333 }), None);
    assert_eq!(socket(&Endpoint::Libp2p(Multiaddr::new(&[4, 1, 2, 3, 4, 6, 0, 1]).unwrap())), None);
    assert_eq!(to_libp2p(&Address { identity: None, endpoint: endpoint("1.2.3.4") }), None);
}

#[test]
fn every_transport_is_recognised() {
    let (_, name) = somebody();
    let cases = [
        ("/ip4/1.2.3.4/tcp/1", Some(Via::Tcp)),
        ("/dns6/example.org/tcp/1", Some(Via::Tcp)),
        ("/ip6/2001:470::1/udp/1/quic-v1", Some(Via::Quic)),
        ("/ip4/1.2.3.4/tcp/1/ws", Some(Via::WebSocket)),
        ("/dns4/example.org/tcp/443/wss", Some(Via::SecureWebSocket)),
        ("/dns/example.org/tcp/443/tls/ws", Some(Via::SecureWebSocket)),
        ("/ip4/1.2.3.4/tcp/443/tls/sni/example.org/ws", Some(Via::SecureWebSocket)),
        ("/memory/7", Some(Via::Memory)),
        ("/dnsaddr/example.org", None),
        ("/ip4/1.2.3.4", None),
        ("/ip4/1.2.3.4/udp/1", None),
        ("/ip4/1.2.3.4/udp/1/quic", None),
        ("/ip4/1.2.3.4/tcp/1/quic-v1", None),
        ("/ip4/1.2.3.4/tcp/1/tls", None),
        ("/ip4/1.2.3.4/udp/1/ws", None),
        ("/ip4/1.2.3.4/udp/1/webrtc-direct", None),
        ("/ip4/1.2.3.4/tcp/1/ws/ws", None),
        ("/tcp/1", None),
        ("/memory/7/tcp/1", None),
        ("/unix/tmp", None),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", None),
    ];
    for (text, expected) in cases {
        let named = format!("{text}/p2p/{name}");
        let circuit = format!("{named}/p2p-circuit/p2p/{name}");
        for text in [text, &named, &circuit] {
            assert_eq!(via(&addr(text)), expected, "{text}");
        }
    }
    assert_eq!(via(&addr(&format!("/ip4/1.2.3.4/p2p/{name}/tcp/1"))), None);
    assert_eq!(via(&libp2p::Multiaddr::empty()), None);
}

#[test]
fn a_circuit_is_judged_by_its_relay() {
    let ((_, bob), (relay, relays)) = (somebody(), somebody());
    let circuit = addr(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relays}/p2p-circuit/p2p/{bob}"));
    assert!(is_circuit(&circuit));
    assert_eq!(relay_of(&circuit), peer_id(&relay));
    assert_eq!(ip_of(&circuit), Some([10, 0, 0, 1].into()));
    assert_eq!(scope(&circuit), Some(Scope::Private));
    // As the other end of a circuit is called: nothing is known of it.
    let end = addr(&format!("/p2p/{bob}"));
    assert_eq!((is_circuit(&end), relay_of(&end), ip_of(&end), scope(&end)), (false, None, None, None));
    assert_eq!(relay_of(&addr("/ip4/10.0.0.1/tcp/1/p2p-circuit")), None, "the relay is not named");
    assert_eq!(relay_of(&addr(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relays}"))), None);
}

#[test]
fn the_reach_of_a_host_is_known() {
    let cases = [
        ("/ip4/127.0.0.1/tcp/1", Some(Scope::Loopback)),
        ("/ip6/::1/tcp/1", Some(Scope::Loopback)),
        ("/dns4/localhost/tcp/1", Some(Scope::Loopback)),
        ("/dns/Node.LocalHost./tcp/1", Some(Scope::Loopback)),
        ("/memory/7", Some(Scope::Loopback)),
        ("/dns/notlocalhost/tcp/1", Some(Scope::Private)),
        ("/dns/pod.internal/tcp/1", Some(Scope::Private)),
        ("/ip4/192.168.1.1/tcp/1", Some(Scope::Private)),
        ("/ip6/fe80::1/tcp/1", Some(Scope::Private)),
        ("/ip6/::ffff:192.168.1.1/tcp/1", Some(Scope::Private)),
        ("/ip4/8.8.8.8/tcp/1", Some(Scope::Public)),
        ("/dnsaddr/example.org", Some(Scope::Public)),
        ("/ip4/0.0.0.0/tcp/1", None),
        ("/ip4/224.0.0.251/udp/5353", None),
        ("/ip4/203.0.113.5/tcp/1", None),
        ("/ip6/2001:db8::1/tcp/1", None),
        ("/ip6/::/tcp/1", None),
        ("/unix/tmp", None),
        ("/tcp/1", None),
    ];
    for (text, expected) in cases {
        assert_eq!(scope(&addr(text)), expected, "{text}");
    }
    assert_eq!(ip_of(&addr("/ip6/::ffff:1.2.3.4/tcp/1")), Some([1, 2, 3, 4].into()));
    assert_eq!(ip_of(&addr("/dns/example.org/tcp/1")), None);
}

#[test]
fn each_peer_is_told_what_means_something_to_it() {
    let (_, relay) = somebody();
    let far_circuit = format!("/ip4/8.8.8.8/tcp/1/p2p/{relay}/p2p-circuit");
    let near_circuit = format!("/ip4/10.0.0.9/tcp/1/p2p/{relay}/p2p-circuit");
    let own_circuit = format!("/ip4/127.0.0.1/tcp/1/p2p/{relay}/p2p-circuit");
    let told = [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/udp/1/quic-v1",
        "/ip4/192.168.1.5/tcp/1",
        "/dns/pod/tcp/1",
        "/ip4/9.9.9.9/udp/1/quic-v1",
        "/dns4/example.org/tcp/443/tls/ws",
        "/dnsaddr/example.org",
        &far_circuit,
        &near_circuit,
        &own_circuit,
        "/memory/7",
    ];
    let public = [4, 5, 6, 7].as_slice();
    let private = [2, 3, 4, 5, 6, 7, 8].as_slice();
    let loopback = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].as_slice();
    let cases = [
        ("/ip4/127.0.0.1/tcp/9", loopback),
        ("/ip6/::1/udp/9/quic-v1", loopback),
        ("/ip4/192.168.7.7/tcp/9", private),
        ("/ip6/fd00::1/tcp/9", private),
        ("/ip4/1.1.1.1/tcp/9/ws", public),
        // Where a peer behind a relay is, its relay does not say.
        (&far_circuit, public),
        (&near_circuit, public),
        (&own_circuit, public),
        ("/p2p-circuit", public),
        ("/memory/9", &[2, 3, 4, 5, 6, 7, 8, 10]),
    ];
    for (remote, expected) in cases {
        let remote = addr(remote);
        let heard: Vec<_> =
            told.iter().enumerate().filter(|(_, text)| spreads(&addr(text), &remote)).map(|(at, _)| at).collect();
        assert_eq!(heard, expected, "{remote}");
    }
}

#[test]
fn what_leads_nowhere_is_told_to_nobody() {
    let (_, relay) = somebody();
    for text in [
        "/ip4/0.0.0.0/tcp/1".to_owned(),
        "/ip6/::/udp/1/quic-v1".to_owned(),
        "/ip4/224.0.0.251/udp/5353/quic-v1".to_owned(),
        "/ip6/ff02::fb/udp/5353/quic-v1".to_owned(),
        "/ip4/255.255.255.255/tcp/1".to_owned(),
        "/ip4/192.0.2.1/tcp/1".to_owned(),
        "/ip4/198.18.0.1/tcp/1".to_owned(),
        "/ip6/2001:db8::1/tcp/1".to_owned(),
        "/ip4/8.8.8.8/tcp/0".to_owned(),
        "/ip4/8.8.8.8/udp/0/quic-v1".to_owned(),
        "/ip4/8.8.8.8".to_owned(),
        "/ip4/8.8.8.8/udp/1".to_owned(),
        "/ip4/127.0.0.1/tcp/0".to_owned(),
        "/memory/0".to_owned(),
        format!("/p2p/{relay}"),
        format!("/p2p/{relay}/p2p-circuit"),
        "/ip4/8.8.8.8/tcp/1/p2p-circuit".to_owned(),
        format!("/ip4/8.8.8.8/tcp/1/p2p/{relay}/p2p-circuit/p2p/{relay}/p2p-circuit"),
    ] {
        for remote in ["/ip4/127.0.0.1/tcp/9", "/ip4/10.0.0.1/tcp/9", "/ip4/1.1.1.1/tcp/9", "/memory/9"] {
            assert!(!spreads(&addr(&text), &addr(remote)), "{text} to {remote}");
        }
    }
}

#[test]
fn near_and_straight_addresses_are_tried_first() {
    let (_, relay) = somebody();
    let sorted: Vec<_> = [
        "/memory/7".to_owned(),
        "/ip4/127.0.0.1/udp/1/quic-v1".to_owned(),
        "/ip4/192.168.1.5/udp/1/quic-v1".to_owned(),
        "/ip6/fd00::1/udp/1/quic-v1".to_owned(),
        "/ip4/192.168.1.5/tcp/1".to_owned(),
        "/ip4/192.168.1.5/tcp/1/ws".to_owned(),
        "/ip6/2a00::1/udp/1/quic-v1".to_owned(),
        "/ip4/8.8.8.8/udp/1/quic-v1".to_owned(),
        "/ip6/2a00::1/tcp/1".to_owned(),
        "/ip4/8.8.8.8/tcp/1".to_owned(),
        "/ip4/8.8.8.8/tcp/1/ws".to_owned(),
        "/ip4/8.8.8.8/tcp/443/tls/ws".to_owned(),
        "/ip4/203.0.113.5/tcp/1".to_owned(),
        format!("/ip4/10.0.0.1/udp/1/quic-v1/p2p/{relay}/p2p-circuit"),
        format!("/ip4/8.8.8.8/udp/1/quic-v1/p2p/{relay}/p2p-circuit"),
    ]
    .iter()
    .map(|text| addr(text))
    .collect();
    let mut mixed: Vec<_> = sorted.iter().rev().chain(&sorted).cloned().collect();
    order(&mut mixed);
    assert_eq!(mixed, sorted);
}

#[test]
fn the_twin_by_quic_has_the_same_host_port_and_key() {
    let (bob, name) = somebody();
    let twin = |text: &str| over_quic(&from_libp2p(&addr(text)).unwrap());
    let quic = |text: &str| Some(from_libp2p(&addr(text)).unwrap());
    assert_eq!(twin("/ip4/1.2.3.4/tcp/9"), quic("/ip4/1.2.3.4/udp/9/quic-v1"));
    assert_eq!(twin(&format!("/dns/a.b/tcp/9/p2p/{name}")).unwrap().identity, Some(bob));
    for text in ["/ip4/1.2.3.4/tcp/9/ws", "/ip4/1.2.3.4/udp/9/quic-v1", "/memory/9"] {
        assert_eq!(twin(text), None, "{text}");
    }
    assert_eq!(twin(&format!("/ip4/1.2.3.4/tcp/9/p2p/{name}/p2p-circuit/p2p/{name}")), None);
}

/// Addresses of the parts that matter, in any order, many of them senseless.
fn any_multiaddr() -> impl Strategy<Value = libp2p::Multiaddr> {
    let peers: Vec<_> = (0..=255).filter_map(|byte| peer_id(&Identity([byte; 32]))).take(3).collect();
    let part = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Protocol::Ip4(ip.into())),
        prop::sample::select(vec![[127, 0, 0, 1], [10, 0, 0, 1], [0, 0, 0, 0]]).prop_map(|ip| Protocol::Ip4(ip.into())),
        any::<[u8; 16]>().prop_map(|ip| Protocol::Ip6(ip.into())),
        "[a-z.]{0,40}".prop_map(|name| Protocol::Dns(name.into())),
        "[a-z.]{0,40}".prop_map(|name| Protocol::Dnsaddr(name.into())),
        (0_u16..4).prop_map(Protocol::Tcp),
        (0_u16..4).prop_map(Protocol::Udp),
        (0_u64..4).prop_map(Protocol::Memory),
        prop::sample::select(vec![
            Protocol::QuicV1,
            Protocol::Tls,
            Protocol::Ws("/".into()),
            Protocol::Ws("/deep/path".into()),
            Protocol::P2pCircuit,
            Protocol::WebRTCDirect,
        ]),
        prop::sample::select(peers).prop_map(Protocol::P2p),
    ];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.into_iter().collect())
}

/// Everything that is asked of an address.
fn ask(address: &libp2p::Multiaddr, remote: &libp2p::Multiaddr) {
    let told = spreads(address, remote);
    if told {
        assert!(scope(address).is_some() && is_whole(address), "{address} to {remote}");
        assert!(scope(address) == Some(Scope::Public) || scope(remote) != Some(Scope::Public), "{address} to {remote}");
    }
    let _ = (via(address), relay_of(address), ip_of(address), is_circuit(address), identity(&PeerId::random()));
}

proptest! {
    #[test]
    fn an_address_that_is_taken_is_given_back(multiaddr in any_multiaddr(), remote in any_multiaddr()) {
        ask(&multiaddr, &remote);
        match from_libp2p(&multiaddr) {
            Some(address) => {
                prop_assert_eq!(to_libp2p(&address), Some(multiaddr));
                let _ = over_quic(&address);
            }
            None => {
                let (place, peer) = split(&multiaddr);
                let double = matches!(place.iter().last(), Some(Protocol::P2p(_)));
                prop_assert!(place.is_empty() || place.len() > MAX_MULTIADDR || (double && peer.is_some()));
            }
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 1..=MAX_MULTIADDR), key in any::<Option<[u8; 32]>>()) {
        let endpoint = Endpoint::Libp2p(Multiaddr::new(&bytes).unwrap());
        let address = Address { identity: key.map(Identity), endpoint };
        let _ = over_quic(&address);
        if let Some(multiaddr) = to_libp2p(&address) {
            ask(&multiaddr, &multiaddr);
        }
    }

    #[test]
    fn order_keeps_every_address_once(addresses in prop::collection::vec(any_multiaddr(), 0..8)) {
        let mut once = [addresses.clone(), addresses.clone()].concat();
        order(&mut once);
        let sorted = |list: &[libp2p::Multiaddr]| list.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(sorted(&once), sorted(&addresses));
        prop_assert_eq!(sorted(&once).len(), once.len());
        let mut again = once.clone();
        again.reverse();
        order(&mut again);
        prop_assert_eq!(again, once);
    }
}

#[test]
fn what_strangers_say_of_near_addresses_counts_only_with_a_peer_as_near() {
    let told = [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/192.168.1.5/tcp/1",
        "/ip4/9.9.9.9/udp/1/quic-v1",
        "/memory/7",
        "/ip4/0.0.0.0/tcp/1",
    ];
    let meaningful = |near: &Near| {
        let all = told.iter().enumerate().filter(|(_, text)| near.means_something(&addr(text)));
        all.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut near = Near::default();
    assert_eq!(meaningful(&near), [2], "nobody is near");
    for (remote, expected) in [
        ("/ip4/8.8.8.8/tcp/9", [2].as_slice()),
        ("/ip4/8.8.8.8/tcp/9/p2p-circuit", &[2]),
        ("/ip4/10.0.0.9/tcp/9", &[1, 2]),
        ("/ip4/127.0.0.1/tcp/9", &[0, 1, 2]),
        ("/memory/9", &[2, 3]),
    ] {
        near.came(&addr(remote));
        assert_eq!(meaningful(&near), expected, "{remote}");
        near.went(&addr(remote));
        assert_eq!(near, Near::default());
    }
}
