//! Vectors, round trips, limits and damage, each in both framings.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it did not expect"
)]

mod address;
mod compact;
mod decoder;
mod limits;
mod page;
mod peer_record;
mod rust_bitcoin;
mod strip;
mod version;

use super::*;
use crate::random::Random;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

pub(super) const BOTH: [Framing; 2] = [Framing::Bitcoin(MAGIC), Framing::Stream];

/// Numbers for one test.
fn random(seed: u8) -> Random {
    Random::new([seed; 32])
}

/// Everything that a decoder makes of one chunk.
fn decode(bytes: &[u8], framing: Framing) -> Vec<Result<(Message, usize), Error>> {
    decode_chunks([bytes], framing)
}

fn decode_chunks<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    framing: Framing,
) -> Vec<Result<(Message, usize), Error>> {
    let mut decoder = Decoder::new(framing);
    let mut results = Vec::new();
    for mut chunk in chunks {
        while let Some(result) = decoder.read(&mut chunk) {
            results.push(result);
        }
    }
    results
}

/// The one result of bytes that are one message.
fn decode_one(bytes: &[u8], framing: Framing) -> Result<Message, Error> {
    let mut results = decode(bytes, framing);
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0).map(|(message, wire)| {
        assert_eq!(wire, bytes.len());
        message
    })
}

/// A frame around any payload, with a true length and checksum.
fn framed(name: &str, payload: &[u8], framing: Framing) -> Vec<u8> {
    let mut bytes = Vec::new();
    match framing {
        Framing::Bitcoin(magic) => {
            bytes.extend(magic);
            bytes.extend(bitcoin::padded(name));
            bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            let hash = ::bitcoin::hashes::Hash::hash(payload);
            bytes.extend(bitcoin::checksum(hash));
        }
        Framing::Stream => {
            let kind = match Kind::named(name) {
                Some(kind) => vec![kind.short()],
                None => [&[0], &bitcoin::padded(name)[..]].concat(),
            };
            let mut length = kind.len() + payload.len();
            while length > 0x7f {
                bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
                length >>= 7;
            }
            bytes.push(u8::try_from(length).unwrap());
            bytes.extend(kind);
        }
    }
    bytes.extend(payload);
    bytes
}

/// What becomes of a payload, which is the same in both framings.
fn payload(name: &str, payload: &[u8]) -> Result<Message, Error> {
    let [left, right] = BOTH.map(|framing| decode_one(&framed(name, payload, framing), framing));
    assert_eq!(left, right);
    left
}
