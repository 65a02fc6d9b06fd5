//! Stories of peers as users write them.

use proptest::prelude::*;
use yap_protocol::address::{Host, MAX_MULTIADDR};

use super::*;
use crate::config::PORT;

const BOB: &str = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq";

fn given(text: &str) -> Given {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn wrong(text: &str) -> GivenError {
    text.parse::<Given>().expect_err(text)
}

fn host(host: &str, port: u16, scheme: Scheme) -> Given {
    Given::Host { host: host.to_owned(), port, scheme }
}

fn bob() -> Identity {
    let Name(identity) = BOB.parse().unwrap();
    identity
}

fn multiaddr(text: &str) -> Address {
    address::from_libp2p(&text.parse().unwrap()).unwrap()
}

#[test]
fn hosts_are_read_in_every_form() {
    let plain = |name: &str, port| host(name, port, Scheme::Plain);
    let cases = [
        ("alice", plain("alice", PORT)),
        ("alice:7001", plain("alice", 7001)),
        ("  Alice.Example.ORG:7001\n", plain("alice.example.org", 7001)),
        ("alice.example.org.", plain("alice.example.org.", PORT)),
        ("my_node-1:7001/", plain("my_node-1", 7001)),
        ("10.0.0.1", plain("10.0.0.1", PORT)),
        ("10.0.0.1:1", plain("10.0.0.1", 1)),
        ("10.0.0.1:065535", plain("10.0.0.1", 65535)),
        ("[2001:470::1]:7001", plain("2001:470::1", 7001)),
        ("[2001:470::1]", plain("2001:470::1", PORT)),
        ("2001:470::1", plain("2001:470::1", PORT)),
        ("::1", plain("::1", PORT)),
        ("::ffff:10.0.0.1", plain("10.0.0.1", PORT)),
        ("ws://alice:80", host("alice", 80, Scheme::WebSocket)),
        ("WS://alice:80/", host("alice", 80, Scheme::WebSocket)),
        ("ws://[::1]:80", host("::1", 80, Scheme::WebSocket)),
        ("wss://alice", host("alice", 443, Scheme::SecureWebSocket)),
        ("wss://alice:8443", host("alice", 8443, Scheme::SecureWebSocket)),
        ("bitcoin://alice:8333", host("alice", 8333, Scheme::Bitcoin)),
    ];
    for (text, expected) in cases {
        assert_eq!(given(text), expected, "{text}");
    }
}

#[test]
fn multiaddrs_and_what_says_the_same_are_read() {
    let cases = [
        ("/ip4/10.0.0.1/tcp/7001", "/ip4/10.0.0.1/tcp/7001"),
        ("/ip4/10.0.0.1/udp/7001/quic-v1/", "/ip4/10.0.0.1/udp/7001/quic-v1"),
        ("/dns4/alice/tcp/443/tls/ws", "/dns4/alice/tcp/443/tls/ws"),
        ("/dnsaddr/seed.example.org", "/dnsaddr/seed.example.org"),
        ("/memory/7", "/memory/7"),
        ("tcp://alice:7001", "/dns/alice/tcp/7001"),
        ("tcp://10.0.0.1", "/ip4/10.0.0.1/tcp/6001"),
        ("quic://10.0.0.1:7001", "/ip4/10.0.0.1/udp/7001/quic-v1"),
        ("quic://[::1]", "/ip6/::1/udp/6001/quic-v1"),
    ];
    for (text, expected) in cases {
        assert_eq!(given(text), Given::Address(multiaddr(expected)), "{text}");
        let named = given(&format!("{}/p2p/{BOB}", text.trim_end_matches('/')));
        assert_eq!(named, Given::Address(multiaddr(&format!("{expected}/p2p/{BOB}"))), "{text}");
    }
}

#[test]
fn a_host_with_a_peers_id_is_an_address_of_that_peer() {
    let cases = [
        ("alice", "/dns/alice/tcp/6001"),
        ("10.0.0.1:7001", "/ip4/10.0.0.1/tcp/7001"),
        ("[::1]:7001", "/ip6/::1/tcp/7001"),
        ("ws://alice:80", "/dns/alice/tcp/80/ws"),
        ("wss://alice", "/dns/alice/tcp/443/tls/ws"),
    ];
    for (text, expected) in cases {
        let expected = Address { identity: Some(bob()), ..multiaddr(expected) };
        assert_eq!(given(&format!("{text}/p2p/{BOB}")), Given::Address(expected), "{text}");
    }
}

#[test]
fn a_peer_is_named_by_its_id() {
    assert_eq!(given(BOB), Given::Peer(bob()));
    assert_eq!(given(&format!("/p2p/{BOB}")), Given::Peer(bob()));
}

#[test]
fn a_circuit_is_an_address() {
    let text = format!("/ip4/10.0.0.1/tcp/7001/p2p/{BOB}/p2p-circuit/p2p/{BOB}");
    assert_eq!(given(&text), Given::Address(multiaddr(&text)));
}

#[test]
fn a_wrong_port_is_named_and_a_right_one_shown() {
    for (text, port, right) in [
        ("alice:", "", "alice:6001"),
        ("alice:0", "0", "alice:6001"),
        ("alice:65536", "65536", "alice:6001"),
        ("alice:-1", "-1", "alice:6001"),
        ("alice:+1", "+1", "alice:6001"),
        ("alice:http", "http", "alice:6001"),
        ("[::1]:x", "x", "[::1]:6001"),
        ("ws://alice:6001?x=1", "6001?x=1", "ws://alice:6001"),
    ] {
        let error = wrong(text);
        let expected = GivenError::Port { text: text.into(), port: port.into(), right: right.into() };
        assert_eq!(error, expected);
        assert!(error.to_string().contains(right), "{error}");
    }
    for text in ["ws://alice", "bitcoin://[::1]"] {
        let error = wrong(text);
        assert!(matches!(error, GivenError::NoPort { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{text}:6001")), "{error}");
        given(&format!("{text}:6001"));
    }
}

#[test]
fn a_web_address_is_told_apart() {
    for (text, right) in [
        ("http://alice:3001/", "ws://alice:6001"),
        ("http://[::1]/page", "ws://[::1]:6001"),
        ("HTTPS://alice:8443/page", "wss://alice:8443"),
    ] {
        let error = wrong(text);
        assert_eq!(error, GivenError::Web { text: text.into(), right: right.into() });
        assert!(error.to_string().contains(right), "{error}");
        given(right);
    }
}

#[test]
fn what_is_wrong_is_told_apart() {
    let long = "a".repeat(64);
    let names = ["a.".repeat(127), "b".to_owned()].concat();
    assert_eq!(wrong(" \t"), GivenError::Empty);
    for text in [
        "10.0.0.256",
        "10.0.0",
        "alice bob",
        "-alice",
        "alice-.org",
        "alice..org",
        ".",
        "[::1",
        "[alice]:7001",
        "[10.0.0.1]:7001",
        "::1::2",
        "fe80::1%eth0",
        "user@alice",
        "bücher.example",
        "ws://:80",
        &long,
        &names,
        "/dns4/-/tcp/1",
    ] {
        let error = wrong(text);
        assert!(matches!(error, GivenError::Host { .. }), "{text}: {error}");
    }
    for text in ["udp://alice:1", "://alice", "libp2p://alice"] {
        assert!(matches!(wrong(text), GivenError::Scheme { .. }), "{text}");
    }
    let bitcoins = format!("bitcoin://alice:8333/p2p/{BOB}");
    for text in ["ws://alice:80/socket", "alice/tcp/6001", &bitcoins] {
        assert!(matches!(wrong(text), GivenError::Path { .. }), "{text}");
    }
    assert_eq!(
        wrong("/ip4/10.0.0.1/tpc/1"),
        GivenError::Component { text: "/ip4/10.0.0.1/tpc/1".into(), component: "tpc".into() }
    );
    for text in ["/ip4/10.0.0.256/tcp/1", "/ip4/10.0.0.1/tcp", "/ip4/10.0.0.1/tcp/65536", "/ip4"] {
        assert!(matches!(wrong(text), GivenError::Multiaddr { .. }), "{text}");
    }
    for text in ["/ip4/10.0.0.1", "/ip4/10.0.0.1/udp/1", "/ip4/10.0.0.1/tcp/0", "/tcp/1", "/p2p-circuit"] {
        assert!(matches!(wrong(text), GivenError::Transport { .. }), "{text}: {:?}", wrong(text));
    }
}

#[test]
fn a_peers_id_with_a_typing_error_is_no_host() {
    // The second is an RSA key's, from libp2p's specification of peer ids.
    let lower = BOB.to_lowercase();
    let behind = format!("alice:7001/p2p/{}", &BOB[1..]);
    for text in [
        &BOB[..BOB.len() - 1],
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        "16Uiu2HAmUFqvjVTHZJvPkvMsMe6aQkzS8vkfLJyS2CrVzJQfyAKd",
        "12D3KooWNode",
        "/p2p/alice",
        "/ip4/10.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        &lower,
        &behind,
    ] {
        let error = wrong(text);
        assert!(matches!(error, GivenError::Peer { .. }), "{text}: {error:?}");
    }
}

#[test]
fn the_longest_multiaddr_is_taken_and_one_byte_more_is_not() {
    // In binary: one byte of code and two of length, then three of port.
    let name = |length: usize| {
        let name = "abcdefg.".repeat(32);
        format!("/dns/{}b/tcp/7001", &name[..length - 7])
    };
    assert!(matches!(given(&name(MAX_MULTIADDR)), Given::Address(_)));
    // No name is that long: what is too long is told first.
    assert!(matches!(wrong(&name(MAX_MULTIADDR + 1)), GivenError::Long { .. }));
}

#[test]
fn an_error_does_not_repeat_a_novel() {
    let error = wrong(&"é".repeat(100_000)).to_string();
    assert!(error.chars().count() < 600, "{error}");
}

#[test]
fn a_list_is_separated_by_commas_and_space() {
    let list = parse_list(" alice, bob:7001\n\twss://carol,,10.0.0.1 alice:6001 ,").unwrap();
    let shown: Vec<_> = list.iter().map(Given::to_string).collect();
    assert_eq!(shown, ["alice:6001", "bob:7001", "wss://carol:443", "10.0.0.1:6001"]);
    assert_eq!(parse_list(" , "), Ok(Vec::new()));
    assert!(matches!(parse_list("alice, http://bob"), Err(GivenError::Web { .. })));
}

#[test]
fn a_list_has_a_bound() {
    let list = |count: usize| (1..=count).map(|at| format!("alice:{at}")).collect::<Vec<_>>().join(",");
    assert_eq!(parse_list(&list(MAX_PEERS)).map(|list| list.len()), Ok(MAX_PEERS));
    assert_eq!(parse_list(&list(MAX_PEERS + 1)), Err(GivenError::Many));
    let twice = format!("{},{}", list(MAX_PEERS), list(MAX_PEERS));
    assert_eq!(parse_list(&twice).map(|list| list.len()), Ok(MAX_PEERS), "what is there twice counts once");
}

#[test]
fn every_address_of_a_host_is_a_peer() {
    let hosts: Vec<IpAddr> =
        ["10.0.0.2", "10.0.0.1", "::ffff:10.0.0.2", "fd00::1"].map(|ip| ip.parse().unwrap()).to_vec();
    let shown = |text: &str| {
        let addresses = given(text).addresses(&hosts);
        addresses.iter().map(|address| Given::Address(address.clone()).to_string()).collect::<Vec<_>>()
    };
    assert_eq!(shown("pods:7001"), ["/ip4/10.0.0.1/tcp/7001", "/ip4/10.0.0.2/tcp/7001", "/ip6/fd00::1/tcp/7001"]);
    assert_eq!(shown("ws://pods:80")[0], "/ip4/10.0.0.1/tcp/80/ws");
    assert_eq!(shown("ws://pods:80").len(), 3);
    assert_eq!(
        shown("bitcoin://pods:8333"),
        ["bitcoin://10.0.0.1:8333", "bitcoin://10.0.0.2:8333", "bitcoin://[fd00::1]:8333"]
    );
    // The certificate is for the name.
    assert_eq!(shown("wss://pods"), ["/dns/pods/tcp/443/tls/ws"]);
    assert_eq!(shown("wss://pods.org."), ["/dns/pods.org/tcp/443/tls/ws"]);
    // What has an address needs no resolver.
    assert_eq!(shown("10.0.0.9:7001"), ["/ip4/10.0.0.9/tcp/7001"]);
    assert_eq!(shown("wss://10.0.0.9"), ["/ip4/10.0.0.9/tcp/443/tls/ws"]);
    assert_eq!(shown("/dnsaddr/pods"), ["/dnsaddr/pods"]);
    assert_eq!(shown(BOB), [""; 0]);
}

#[test]
fn only_names_are_resolved() {
    for text in ["pods", "pods:7001", "ws://pods:80", "bitcoin://pods:8333"] {
        assert_eq!(given(text).name(), Some("pods"), "{text}");
    }
    for text in ["10.0.0.1", "[::1]:7001", "wss://pods", "/dns/pods/tcp/1", "tcp://pods", BOB] {
        assert_eq!(given(text).name(), None, "{text}");
    }
}

#[test]
fn a_host_has_a_bound_of_addresses_and_they_stay_the_same() {
    let pods = given("pods");
    let hosts = |count: u32| (1..=count).map(|at| IpAddr::from((0x0a00_0000 + at).to_be_bytes())).collect::<Vec<_>>();
    let most = u32::try_from(MAX_ADDRESSES).unwrap();
    assert_eq!(pods.addresses(&hosts(most)).len(), MAX_ADDRESSES);
    let mut more = hosts(most + 1);
    assert_eq!(pods.addresses(&more), pods.addresses(&hosts(most)));
    more.reverse();
    assert_eq!(pods.addresses(&more), pods.addresses(&hosts(most)), "whatever the resolver's order");
}

#[test]
fn an_endpoint_of_bitcoin_is_shown_as_it_is_given() {
    let endpoint = Endpoint::Bitcoin { host: Host::Ipv4([10, 0, 0, 1].into()), port: 8333 };
    let text = Given::Address(Address { identity: None, endpoint }).to_string();
    assert_eq!(text, "bitcoin://10.0.0.1:8333");
    assert_eq!(given(&text).to_string(), text);
}

/// Texts that look like what users write, many of them wrong.
fn any_text() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec!["", "ws://", "wss://", "tcp://", "quic://", "bitcoin://", "http://", "/"]);
    let place = prop_oneof![
        "[a-zA-Z0-9._-]{0,20}",
        "[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}",
        "\\[[0-9a-f:]{0,20}\\]",
        "[0-9a-f:]{0,20}",
        "(/?(ip4/10\\.0\\.0\\.1|dns/a|tcp/[0-9]{1,2}|udp/7|quic-v1|ws|tls|memory/[0-9]|p2p-circuit|dnsaddr/x)){1,5}",
        Just(BOB.to_owned()),
    ];
    let end = prop::sample::select(vec!["", ":1", ":65535", ":0", "/", "/path"]);
    let peer = prop::sample::select(vec!["", "", "/p2p/", "/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"]);
    (start, place, end, peer).prop_map(|(start, place, end, peer)| format!("{start}{place}{end}{peer}"))
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(text in any_text()) {
        if let Ok(given) = text.parse::<Given>() {
            let shown = given.to_string();
            prop_assert_eq!(shown.parse::<Given>(), Ok(given.clone()), "{} as {}", text, shown);
            prop_assert_eq!(parse_list(&shown), Ok(vec![given]));
        }
    }

    #[test]
    fn no_text_does_harm(text in any::<String>()) {
        if let Ok(given) = text.parse::<Given>() {
            let _ = given.addresses(&[]);
        }
        let _ = parse_list(&text);
    }
}
