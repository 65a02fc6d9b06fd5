use super::*;

fn v4(text: &str) -> Host {
    Host::Ipv4(text.parse().unwrap())
}

fn v6(text: &str) -> Host {
    Host::Ipv6(text.parse().unwrap())
}

fn bitcoin(host: Host, port: u16) -> Endpoint {
    Endpoint::Bitcoin { host, port }
}

fn libp2p(bytes: &[u8]) -> Endpoint {
    Endpoint::Libp2p(Multiaddr::new(bytes).unwrap())
}

/// `/ip4/<ip>/tcp/<port>`
fn tcp(ip: [u8; 4], port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [&[4][..], &ip, &[6, high, low]].concat()
}

#[test]
fn neighbours_share_a_group_and_strangers_do_not() {
    let group = |host| bitcoin(host, 8333).group();
    assert_eq!(group(v4("1.2.3.4")), group(v4("1.2.200.9")));
    assert_ne!(group(v4("1.2.3.4")), group(v4("1.3.3.4")));
    assert_eq!(group(v6("2a00:1450:1::1")), group(v6("2a00:1450:2::1")));
    assert_ne!(group(v6("2a00:1450::1")), group(v6("2a00:1451::1")));
    // Hurricane Electric counts by /36.
    assert_ne!(group(v6("2001:470:1000::1")), group(v6("2001:470:2000::1")));
    assert_eq!(group(v6("2001:470:1000::1")), group(v6("2001:470:1fff::1")));
    let services = (0..=255).map(|byte| group(Host::Tor([byte; 32]))).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(services.len(), 16);
}

#[test]
fn an_embedded_address_has_the_group_of_what_it_embeds() {
    let plain = bitcoin(v4("1.2.3.4"), 8333).group();
    for text in ["::ffff:1.2.3.4", "2002:0102:0304::1", "64:ff9b::1.2.3.4", "2001:0:1:2:3:4:fefd:fcfb"] {
        assert_eq!(bitcoin(v6(text), 8333).group(), plain, "{text}");
    }
    assert_eq!(v6("::ffff:10.0.0.1").scope(), Some(Scope::Private));
}

#[test]
fn each_host_of_a_lan_and_each_port_of_a_machine_is_a_group() {
    assert_ne!(bitcoin(v4("192.168.1.2"), 1).group(), bitcoin(v4("192.168.1.3"), 1).group());
    assert_eq!(bitcoin(v4("192.168.1.2"), 1).group(), bitcoin(v4("192.168.1.2"), 2).group());
    assert_ne!(bitcoin(v4("127.0.0.1"), 1).group(), bitcoin(v4("127.0.0.1"), 2).group());
    assert_eq!(bitcoin(v4("127.0.0.1"), 1).source_group(), bitcoin(v4("127.0.0.1"), 2).source_group());
}

#[test]
fn the_scope_of_every_special_range_is_known() {
    let cases = [
        ("127.0.0.1", Some(Scope::Loopback)),
        ("10.1.2.3", Some(Scope::Private)),
        ("172.31.0.1", Some(Scope::Private)),
        ("192.168.0.1", Some(Scope::Private)),
        ("169.254.1.1", Some(Scope::Private)),
        ("100.64.0.1", Some(Scope::Private)),
        ("100.128.0.1", Some(Scope::Public)),
        ("0.0.0.0", None),
        ("192.0.2.1", None),
        ("198.18.0.1", None),
        ("224.0.0.1", None),
        ("255.255.255.255", None),
        ("8.8.8.8", Some(Scope::Public)),
    ];
    for (text, scope) in cases {
        assert_eq!(v4(text).scope(), scope, "{text}");
    }
    let cases = [
        ("::1", Some(Scope::Loopback)),
        ("::", None),
        ("fe80::1", Some(Scope::Private)),
        ("fd00::1", Some(Scope::Private)),
        ("2001:db8::1", None),
        ("2001:10::1", None),
        ("ff02::1", None),
        ("2a00:1450::1", Some(Scope::Public)),
    ];
    for (text, scope) in cases {
        assert_eq!(v6(text).scope(), scope, "{text}");
    }
    assert!(Host::Cjdns("fc12::1".parse().unwrap()).is_routable());
    assert_eq!(Host::Cjdns("2a00::1".parse().unwrap()).scope(), None);
}

#[test]
fn a_multiaddr_has_the_group_and_scope_of_its_host() {
    assert_eq!(libp2p(&tcp([1, 2, 3, 4], 30333)).group(), bitcoin(v4("1.2.9.9"), 8333).group());
    assert_eq!(libp2p(&tcp([127, 0, 0, 1], 7)).group(), bitcoin(v4("127.0.0.1"), 7).group());
    assert_eq!(libp2p(&tcp([10, 0, 0, 1], 7)).scope(), Some(Scope::Private));
    // /ip4/1.2.3.4/udp/9/quic-v1/p2p/<id>/p2p-circuit: the relay counts.
    let mut circuit = vec![4, 1, 2, 3, 4, 0x91, 2, 0, 9, 0xcd, 3, 0xa5, 3, 2, 0, 0, 0xa2, 2];
    let address = libp2p(&circuit);
    assert_eq!(address.group(), bitcoin(v4("1.2.0.1"), 1).group());
    assert_eq!(address.to_string(), "/ip4/1.2.3.4/udp/9/quic-v1/p2p/11/p2p-circuit");
    // What is not known ends the reading, and does no harm.
    circuit.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(libp2p(&circuit).to_string(), "/ip4/1.2.3.4/udp/9/quic-v1/p2p/11/p2p-circuit/…");
    let name = libp2p(&[54, 3, b'a', b'.', b'b', 6, 0, 80]);
    assert_eq!((name.scope(), name.to_string().as_str()), (Some(Scope::Public), "/dns4/a.b/tcp/80"));
    assert_eq!(libp2p(&[0x89, 6, 0, 0, 0, 0, 0, 0, 0, 5]).scope(), Some(Scope::Loopback));
}

#[test]
fn no_bytes_make_reading_fail() {
    let mut random = crate::Random::new([5; 32]);
    for _ in 0..20_000 {
        let length = random.index(40) + 1;
        let known = [4, 41, 42, 53, 6, 0x91, 2, 0xa5, 3, 0xbd, 0xff];
        let bytes: Vec<u8> = (0..length)
            .map(|_| if random.below(2) == 0 { *random.pick(&known).unwrap() } else { random.next_u64() as u8 })
            .collect();
        let address = libp2p(&bytes);
        let _ = (address.group(), address.scope(), address.host());
        assert!(!address.to_string().is_empty());
    }
}

#[test]
fn a_multiaddr_has_a_bound() {
    assert!(Multiaddr::new(&[4; MAX_MULTIADDR]).is_some());
    assert!(Multiaddr::new(&[4; MAX_MULTIADDR + 1]).is_none());
    assert!(Multiaddr::new(&[]).is_none());
}

#[test]
fn addresses_are_readable() {
    assert_eq!(bitcoin(v4("1.2.3.4"), 8333).to_string(), "1.2.3.4:8333");
    assert_eq!(bitcoin(v6("2a00::1"), 8333).to_string(), "[2a00::1]:8333");
    let i2p = bitcoin(Host::I2p([0; 32]), 0).to_string();
    assert_eq!(i2p, format!("{}.b32.i2p:0", "a".repeat(52)));
    let address = Address { identity: Some(Identity([0xab; 32])), endpoint: bitcoin(v4("1.2.3.4"), 1) };
    assert_eq!(address.to_string(), "abababab@1.2.3.4:1");
}
