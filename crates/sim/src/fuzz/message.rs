//! What must hold of what peers send.

use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256d};
use yap_chain::block::Block;
use yap_protocol::codec::{self, Decoder, Error, Framing};
use yap_protocol::{Message, Random, arbitrary};

use super::Outcome;
use super::samples::MAGIC;

/// Samples of each carrier.
const SAMPLES: u8 = 48;

/// Messages in one sample, at most.
const MESSAGES: usize = 3;

/// Most bytes of a message in a sample: a long list holds nothing that a short one does not.
const LARGEST: usize = 2000;

/// Bytes of a payload that is only begun, for which a decoder may take memory before they come.
const BUFFER: usize = 256;

/// Inputs up to this size are also read byte by byte.
const SMALL: usize = 4096;

/// Messages in Bitcoin's framing, as they are and with true checksums: no damage would reach a payload otherwise.
pub fn message_bitcoin(data: &[u8]) -> Outcome {
    let framing = Framing::Bitcoin(MAGIC);
    messages(data, framing);
    messages(&with_checksums(data), framing)
}

/// Messages in the framing of streams.
pub fn message_stream(data: &[u8]) -> Outcome {
    messages(data, Framing::Stream)
}

type Results = Vec<Result<(Message, usize), Error>>;

/// Any chunks give the same messages, which come back from their bytes; an error is the last result.
fn messages(data: &[u8], framing: Framing) -> Outcome {
    let results = decoded([data], framing);
    assert_eq!(results, decoded(chunks(data), framing));
    if data.len() <= SMALL {
        assert_eq!(results, decoded(data.chunks(1), framing));
    }
    let failed = results.iter().position(Result::is_err);
    assert!(failed.is_none_or(|at| at + 1 == results.len()), "nothing follows an error");
    let messages: Vec<&(Message, usize)> = results.iter().flatten().collect();
    assert!(messages.iter().map(|(_, wire)| wire).sum::<usize>() <= data.len());
    messages.iter().for_each(|(message, _)| comes_back(message, framing));
    if failed.is_none() && !messages.is_empty() { Outcome::Held } else { Outcome::Refused }
}

fn decoded<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, framing: Framing) -> Results {
    let mut decoder = Decoder::new(framing);
    let mut results = Vec::new();
    let mut received = 0;
    for chunk in chunks {
        let mut rest = chunk;
        while let Some(result) = decoder.read(&mut rest) {
            results.push(result);
        }
        received += chunk.len();
        assert!(decoder.memory() <= BUFFER.max(2 * received), "{} bytes of memory", decoder.memory());
        assert!(rest.is_empty() || results.last().is_some_and(Result::is_err), "all bytes are taken");
    }
    results
}

/// Chunks whose sizes follow from the data.
fn chunks(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let size = usize::from(*rest.get(rest.len() / 2)?) % 61 + 1;
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        Some(chunk)
    })
}

/// A message comes back from its bytes, which are as many as were told.
fn comes_back(message: &Message, framing: Framing) {
    let bytes = codec::encode(message, framing);
    assert_eq!(bytes.len(), codec::encoded_len(message, framing));
    assert_eq!(decoded([&bytes[..]], framing), [Ok((message.clone(), bytes.len()))]);
    if let Message::PeerRecords(records) = message {
        // Nobody's key, most often, and it must do no harm.
        for record in records {
            let _ = record.verify();
        }
    }
    if let Message::Block(block) = message {
        assert_eq!(block.read().is_ok(), Block::parse(Arc::clone(block.bytes())).is_ok());
        assert_eq!(codec::block_without_witness(block).bytes().len(), block.base_size());
    }
}

/// The data with a true checksum in each frame that is complete.
pub(super) fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let mut rest = &mut bytes[..];
    while rest.len() >= 24 {
        let (head, after) = rest.split_at_mut(24);
        let size = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
        if size > after.len() {
            break;
        }
        let (payload, next) = after.split_at_mut(size);
        head[20..].copy_from_slice(&sha256d::Hash::hash(payload)[..4]);
        rest = next;
    }
    bytes
}

pub(super) fn bitcoin_samples() -> Vec<Vec<u8>> {
    (0..SAMPLES).map(|seed| sample(seed, Framing::Bitcoin(MAGIC))).collect()
}

pub(super) fn stream_samples() -> Vec<Vec<u8>> {
    (0..SAMPLES).map(|seed| sample(seed, Framing::Stream)).collect()
}

fn sample(seed: u8, framing: Framing) -> Vec<u8> {
    let mut random = Random::new([seed; 32]);
    let messages = std::iter::repeat_with(|| codec::encode(&arbitrary::message(&mut random), framing));
    messages.filter(|bytes| bytes.len() <= LARGEST).take(MESSAGES).flatten().collect()
}
