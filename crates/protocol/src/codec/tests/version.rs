//! `version` as real peers have sent it, and cut short as old ones do.

use super::*;
use crate::message::{NetworkId, Services, Version};
use crate::time::Timestamp;

fn hex(text: &str) -> Vec<u8> {
    ::bitcoin::hex::FromHex::from_hex(text).unwrap()
}

/// What a node of Bitcoin Core 0.9.99 sent (from the tests of rust-bitcoin, CC0).
fn captured() -> Vec<u8> {
    hex("721101000100000000000000e6e0845300000000010000000000000000000000000000000000ffff0000000000000100000000000000\
         fd87d87eeb4364f22cf54dca59412db7208d47d920cffce83ee8102f5361746f7368693a302e392e39392f2c9f040001")
}

fn read(bytes: &[u8]) -> Result<Version, Error> {
    payload("version", bytes).map(|message| match message {
        Message::Version(version) => *version,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_captured_version_is_read() {
    let expected = Version {
        version: 70002,
        services: Services::NETWORK,
        timestamp: Timestamp(1_401_217_254),
        receiver: (Services::NETWORK, NetworkId::Known(crate::address::Host::Ipv4([0; 4].into())), 0),
        nonce: 16_735_069_437_859_780_935,
        user_agent: "/Satoshi:0.9.99/".into(),
        start_height: 302_892,
        relay: true,
    };
    assert_eq!(read(&captured()), Ok(expected));
}

#[test]
fn fields_behind_the_receiver_may_be_missing() {
    let bytes = captured();
    let cut = |length: usize| read(&bytes[..length]).unwrap();
    let whole = read(&bytes).unwrap();
    assert_eq!(cut(46), Version { nonce: 1, user_agent: "".into(), start_height: -1, relay: true, ..whole.clone() });
    assert_eq!(cut(80), Version { user_agent: "".into(), start_height: -1, relay: true, ..whole.clone() });
    assert_eq!(cut(97), Version { start_height: -1, relay: true, ..whole.clone() });
    assert_eq!(cut(101), Version { relay: true, ..whole });
    // But none ends inside a field.
    for length in (0..bytes.len()).filter(|length| ![46, 80, 97, 101].contains(length)) {
        assert_eq!(read(&bytes[..length]), Err(Error::Truncated("version")), "{length}");
    }
}

#[test]
fn fields_to_come_are_passed_over() {
    let mut bytes = captured();
    bytes.extend([1, 2, 3]);
    assert_eq!(read(&bytes), read(&captured()));
}

/// The message with another user agent.
fn agent(agent: &[u8]) -> Result<Box<str>, Error> {
    let bytes = captured();
    let mut changed = bytes[..80].to_vec();
    yap_chain::integer::write_compact(agent.len(), &mut changed);
    changed.extend(agent);
    changed.extend(&bytes[97..]);
    read(&changed).map(|version| version.user_agent)
}

#[test]
fn user_agents_are_printable_ascii() {
    assert_eq!(agent("/Y\x1b[31map\n:ä1/\0".as_bytes()).as_deref(), Ok("/Y[31map:1/"));
    assert_eq!(agent(&[0xff, b'~', b' ', 0x7f]).as_deref(), Ok("~ "));
}

#[test]
fn user_agents_have_256_bytes_at_most() {
    assert_eq!(agent(&[b'a'; 256]).map(|agent| agent.len()), Ok(256));
    let (name, what, limit) = ("version", "bytes of user agent", 256);
    assert_eq!(agent(&[b'a'; 257]), Err(Error::TooMany { name, what, count: 257, limit }));
}

#[test]
fn clocks_before_1970_stand_at_1970() {
    let mut bytes = captured();
    bytes[12..20].fill(0xff);
    assert_eq!(read(&bytes).map(|version| version.timestamp), Ok(Timestamp(0)));
}
