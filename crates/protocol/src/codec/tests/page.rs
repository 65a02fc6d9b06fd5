//! The vectors of `docs/protocol.md`, both ways, and its tables of names, types and limits.

use std::sync::Arc;

use ::bitcoin::hashes::Hash;
use ::bitcoin::hex::{DisplayHex, FromHex};
use ::bitcoin::{BlockHash, Txid, Wtxid};
use ed25519_dalek::SigningKey;

use super::*;
use crate::address::{Host, Multiaddr};
use crate::message::*;
use crate::penalty::Reason;
use crate::time::Timestamp;

const PAGE: &str = include_str!("../../../../../docs/protocol.md");

/// The chain of the vectors: regtest.
const GENESIS: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";

fn hash(byte: u8) -> BlockHash {
    BlockHash::from_byte_array([byte; 32])
}

fn version() -> Version {
    Version {
        version: 70016,
        services: Services::NETWORK.with(Services::WITNESS),
        timestamp: Timestamp(1_767_225_600),
        receiver: (Services::NONE, NetworkId::Known(Host::Ipv4([192, 0, 2, 1].into())), 18444),
        nonce: 0x0102_0304_0506_0708,
        user_agent: "/yap:0.1.0/".into(),
        start_height: 160,
        relay: true,
    }
}

fn greeting(irreversible: Option<Irreversible>) -> Message {
    let mut work = [0; 32];
    work[30..].copy_from_slice(&[1, 0x42]);
    Message::Greeting(Greeting {
        features: Features::ALL,
        genesis: GENESIS.parse().unwrap(),
        tip: hash(2),
        work,
        irreversible,
        short_id_key: [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908],
        push: irreversible.is_some(),
    })
}

/// The key of RFC 8032's first test.
fn key() -> SigningKey {
    let seed = <[u8; 32]>::from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    SigningKey::from_bytes(&seed)
}

fn record() -> Message {
    // /ip4/192.0.2.1/tcp/3000 and /ip4/192.0.2.1/udp/3000/quic-v1
    let endpoints = [&[4, 192, 0, 2, 1, 6, 0x0b, 0xb8][..], &[4, 192, 0, 2, 1, 0x91, 0x02, 0x0b, 0xb8, 0xcd, 0x03]];
    let endpoints = endpoints.map(|bytes| Multiaddr::new(bytes).unwrap()).to_vec();
    let services = Services::NETWORK.with(Services::WITNESS);
    Message::PeerRecords(vec![Arc::new(PeerRecord::sign(&key(), 1_767_225_600, services, endpoints).unwrap())])
}

/// What the page's vectors mean, by their names.
fn vectors() -> Vec<(&'static str, Message)> {
    let announced = |ids: &[u64]| ids.iter().copied().map(Announced).collect::<Vec<_>>();
    let known = |host, port| KnownAddress { seen: Timestamp(1_767_225_600), services: Services(1033), host, port };
    let irreversible = Irreversible { height: 160, hash: hash(3) };
    vec![
        ("version", Message::Version(Box::new(version()))),
        ("verack", Message::Verack),
        ("ping", Message::Ping(0x0102_0304_0506_0708)),
        ("sendcmpct", Message::SendCompact(SendCompact { high_bandwidth: true, version: 2 })),
        (
            "inv",
            Message::Inv(vec![
                Inventory::Wtx(Wtxid::from_byte_array([4; 32])),
                Inventory::WitnessTx(Txid::from_byte_array([5; 32])),
                Inventory::Block(hash(6)),
            ]),
        ),
        ("getheaders", Message::GetHeaders(Locate { locator: vec![hash(2), hash(1)], stop: hash(0) })),
        (
            "getblocktxn",
            Message::GetBlockTransactions(GetBlockTransactions { block: hash(2), indexes: vec![0, 1, 3, 300, 65_535] }),
        ),
        (
            "addrv2",
            Message::AddrV2(vec![
                known(NetworkId::Known(Host::Ipv4([192, 0, 2, 1].into())), 8333),
                known(NetworkId::Known(Host::Tor([7; 32])), 8333),
                known(NetworkId::Known(Host::Cjdns("fc00::1".parse().unwrap())), 8333),
            ]),
        ),
        ("yapgreeting", greeting(None)),
        ("yapgreeting+final", greeting(Some(irreversible))),
        ("yapgoodbye", Message::Goodbye(Goodbye { reason: Ok(Reason::Full), text: "try 192.0.2.7".into() })),
        ("yaprecord", record()),
        ("yapfinal", Message::Irreversible(irreversible)),
        ("yaptxinv", Message::Announce(announced(&[0x1122_3344_5566_7788]))),
        ("yapgettx", Message::Request(announced(&[0x1122_3344_5566_7788, 1]))),
        ("yapnotx", Message::Gone(announced(&[1]))),
        ("yappush", Message::Push(true)),
        ("yappool", Message::PoolSummary(PoolSummary { count: 3, sums: vec![0x0102_0304_0506_0708, 9] })),
        ("filterclear", Message::Unknown { command: "filterclear".into(), size: 0 }),
    ]
}

/// The lines of the page's fenced block of this kind, in words.
fn block(kind: &str) -> Vec<Vec<&'static str>> {
    let (_, after) = PAGE.split_once(&format!("```{kind}\n")).expect("the page has it");
    let (lines, _) = after.split_once("```").expect("it ends");
    lines.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn the_vectors_of_the_page_hold_both_ways() {
    let framings = [("bitcoin", BOTH[0]), ("stream", BOTH[1])];
    let expected: Vec<String> = vectors()
        .iter()
        .flat_map(|(name, message)| {
            framings.map(|(carrier, framing)| format!("{name} {carrier} {:x}", encode(message, framing).as_hex()))
        })
        .collect();
    let page: Vec<String> = block("vectors").iter().map(|words| words.join(" ")).collect();
    assert_eq!(page, expected, "expected:\n{}", expected.join("\n"));
    for words in block("vectors") {
        let [name, carrier, hex] = words[..] else { panic!("{words:?}") };
        let (_, framing) = framings.into_iter().find(|(told, _)| *told == carrier).unwrap();
        let (_, message) = vectors().into_iter().find(|(told, _)| *told == name).unwrap();
        assert_eq!(decode_one(&Vec::from_hex(hex).unwrap(), framing), Ok(message), "{name}");
    }
}

#[test]
fn the_signed_bytes_of_the_page_are_those_of_its_record() {
    let Message::PeerRecords(records) = record() else { unreachable!("it was made so") };
    assert_eq!(records[0].verify(), Ok(()));
    let bytes = signed_bytes(&records[0], b"yap peer record");
    let expected = format!("{:x}", bytes.as_hex());
    assert_eq!(block("signed"), [[expected.as_str()]]);
}

#[test]
fn the_short_id_of_the_page_is_that_of_its_transaction() {
    let Message::Greeting(greeting) = greeting(None) else { unreachable!("it was made so") };
    let wtxid = Wtxid::from_byte_array(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let id = Announced::of(&wtxid, greeting.short_id_key);
    let bytes = encode(&Message::Announce(vec![id]), Framing::Stream).split_off(2);
    assert!(PAGE.contains(&format!("is announced as `{:x}`", bytes.as_hex())), "{id:?}");
}

#[test]
fn the_page_names_every_kind_with_its_type_and_limit() {
    for kind in Kind::ALL {
        let row = format!("| `{}` | {} | {} |", kind.name(), kind.short(), thousands(kind.limit()));
        assert!(PAGE.contains(&row), "{row}");
    }
    // Whatever is reserved is not in use.
    let reserved = ["yapgetproof", "yapproof", "yapgetsnap", "yapsnap", "yapsketch", "yapdiff"];
    for (name, short) in reserved.into_iter().zip(0xe9_u8..) {
        assert!(PAGE.contains(&format!("| `{name}` | {short} |")), "{name}");
        assert_eq!((Kind::named(name), Kind::of_short(short)), (None, None));
    }
}

#[test]
fn the_page_names_every_reason() {
    for (number, reason) in (0..).map_while(|number| Some((number, Reason::of(number)?))) {
        let row = format!("| {number} | {reason} |");
        assert!(PAGE.contains(&row), "{row}");
    }
}

/// A number with commas between its thousands.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).map(|group| str::from_utf8(group).unwrap()).collect();
    groups.into_iter().rev().collect::<Vec<_>>().join(",")
}
