//! Addresses of every network (BIP-0155), in both of their forms.

use std::net::Ipv6Addr;

use super::*;
use crate::address::Host;
use crate::message::NetworkId;

/// `addrv2` with one address.
fn v2(network: u8, address: &[u8]) -> Result<NetworkId, Error> {
    let mut bytes = vec![1, 0, 0, 0, 0, 0, network];
    yap_chain::integer::write_compact(address.len(), &mut bytes);
    bytes.extend(address);
    bytes.extend([0x20, 0x8d]);
    payload("addrv2", &bytes).map(|message| match message {
        Message::AddrV2(addresses) => {
            assert_eq!(addresses[0].port, 8333);
            addresses[0].host.clone()
        }
        other => panic!("{other:?}"),
    })
}

/// `addr` with one address.
fn v1(address: Ipv6Addr) -> NetworkId {
    let bytes = [&[1][..], &[0; 12], &address.octets(), &[0x20, 0x8d]].concat();
    match payload("addr", &bytes) {
        Ok(Message::Addr(addresses)) => addresses[0].host.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_network_has_its_size() {
    let known = NetworkId::Known;
    assert_eq!(v2(1, &[1, 2, 3, 4]), Ok(known(Host::Ipv4([1, 2, 3, 4].into()))));
    assert_eq!(v2(2, &[0x20; 16]), Ok(known(Host::Ipv6([0x20; 16].into()))));
    assert_eq!(v2(4, &[7; 32]), Ok(known(Host::Tor([7; 32]))));
    assert_eq!(v2(5, &[7; 32]), Ok(known(Host::I2p([7; 32]))));
    assert_eq!(v2(6, &[0xfc; 16]), Ok(known(Host::Cjdns([0xfc; 16].into()))));
    for (network, right) in [(1, 4), (2, 16), (4, 32), (5, 32), (6, 16)] {
        for size in [right - 1, right + 1, 0] {
            assert_eq!(v2(network, &vec![0xfc; size]), Err(Error::AddressSize { network, size }));
        }
    }
}

#[test]
fn networks_that_are_not_known_are_passed_over() {
    // Tor v2 is one of them now. Any size is right, up to BIP-0155's limit.
    for (network, size) in [(0, 0), (3, 10), (3, 4), (7, 32), (255, 512)] {
        assert_eq!(v2(network, &vec![7; size]), Ok(NetworkId::Other(network)));
    }
    let (name, what) = ("addrv2", "bytes of an address");
    assert_eq!(v2(255, &[7; 513]), Err(Error::TooMany { name, what, count: 513, limit: 512 }));
}

#[test]
fn ipv6_embeds_nothing_in_addrv2() {
    let embedded = ["::", "::ffff:1.2.3.4", "fd87:d87e:eb43::1", "fd6b:88c0:8724::1"];
    for address in embedded.map(|text| text.parse::<Ipv6Addr>().unwrap()) {
        assert_eq!(v2(2, &address.octets()), Ok(NetworkId::None), "{address}");
    }
    assert_eq!(v2(6, &[0xfd; 16]), Ok(NetworkId::None), "CJDNS lies in fc00::/8");
}

#[test]
fn ipv4_stands_in_ipv6_in_addr() {
    assert_eq!(v1("::ffff:1.2.3.4".parse().unwrap()), NetworkId::Known(Host::Ipv4([1, 2, 3, 4].into())));
    let address: Ipv6Addr = "2001:db8::1".parse().unwrap();
    assert_eq!(v1(address), NetworkId::Known(Host::Ipv6(address)));
    for nothing in ["::", "fd87:d87e:eb43::1", "fd6b:88c0:8724::1"] {
        assert_eq!(v1(nothing.parse().unwrap()), NetworkId::None, "{nothing}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    ::bitcoin::hex::FromHex::from_hex(text).unwrap()
}

/// `stream_addrv1_hex` and `stream_addrv2_hex` of Bitcoin Core's `src/test/netbase_tests.cpp` (MIT).
#[test]
fn addresses_are_those_of_bitcoin_core() {
    let v1 = hex(concat!(
        "03",
        "61bc66490000000000000000000000000000000000000000000000010000",
        "7962768301000000000000000000000000000000000000000000000100f1",
        "ffffffff480400000000000000000000000000000000000000000001f1f2",
    ));
    let v2 =
        hex("0361bc6649000210000000000000000000000000000000010000796276830102100000000000000000000000000000000100f1\
        fffffffffd4804021000000000000000000000000000000001f1f2");
    let Ok(Message::AddrV2(addresses)) = payload("addrv2", &v2) else { panic!("Core's own") };
    let told: Vec<_> = addresses.iter().map(|address| (address.seen.0, address.services.0, address.port)).collect();
    assert_eq!(told, [(0x4966_bc61, 0, 0), (0x8376_6279, 1, 0x00f1), (0xffff_ffff, 0x448, 0xf1f2)]);
    let loopback = NetworkId::Known(Host::Ipv6(Ipv6Addr::LOCALHOST));
    assert!(addresses.iter().all(|address| address.host == loopback));
    assert_eq!(payload("addr", &v1), Ok(Message::Addr(addresses.clone())));
    assert_eq!(encode(&Message::AddrV2(addresses.clone()), BOTH[0])[24..], v2);
    assert_eq!(encode(&Message::Addr(addresses), BOTH[0])[24..], v1);
}

/// Addresses of Bitcoin Core's and rust-bitcoin's tests (MIT, CC0), as one message each.
#[test]
fn hosts_are_those_of_other_programs() {
    for (bytes, name) in [
        ("010401020304", "Known(Ipv4(1.2.3.4))"),
        ("02101a1b2a2b3a3b4a4b5a5b6a6b7a7b8a8b", "Known(Ipv6(1a1b:2a2b:3a3b:4a4b:5a5b:6a6b:7a7b:8a8b))"),
        ("0610fc000001000200030004000500060007", "Known(Cjdns(fc00:1:2:3:4:5:6:7))"),
        ("030af1f2f3f4f5f6f7f8f9fa", "Other(3)"),
        ("aa0401020304", "Other(170)"),
        ("aa00", "Other(170)"),
    ] {
        let bytes = hex(bytes);
        let host = v2(bytes[0], &bytes[2..]);
        assert_eq!(format!("{:?}", host.unwrap()), name);
    }
}
