//! Bytes to messages and back.
//!
//! Owns both framings (`docs/protocol.md`): Bitcoin's own, and the shorter one of libp2p streams, and the payload of every
//! message, which is the same in both. Not its job: which message may be sent when and to whom, nor what it means.
//!
//! ```text
//! Bitcoin  magic(4) name(12) length(4, LE) checksum(4) payload
//! Stream   length(1–4) type(1, or 0 and name(12)) payload
//! ```
//!
//! [`Decoder`] takes bytes in chunks of any size and gives the same messages whatever the chunks are. It holds at most one
//! message that is not complete, in memory that follows the bytes received and never a length that a peer claims.
//! Every kind of message has a limit ([`Kind::limit`]) that is enforced when its length is read.
//!
//! What follows the last field of a payload is passed over, as in Bitcoin Core, so that fields can be added; but `tx` and
//! `block` fill their payload. Of a `block` the header and the count of transactions are looked at and no more: its
//! transactions are parsed and hashed where it is verified ([`Block::read`](yap_chain::block::Block::read)), since the bytes
//! of many blocks come faster than one task can do that.
//!
//! ```
//! use yap_protocol::Message;
//! use yap_protocol::codec::{self, Decoder, Framing};
//!
//! let bytes = codec::encode(&Message::Ping(7), Framing::Stream);
//! let mut decoder = Decoder::new(Framing::Stream);
//! let mut chunk = &bytes[..];
//! while let Some(result) = decoder.read(&mut chunk) {
//!     let (message, wire_bytes) = result.expect("it was encoded by us");
//!     assert_eq!((message, wire_bytes), (Message::Ping(7), bytes.len()));
//! }
//! ```

mod bitcoin;
mod decoder;
mod error;
mod kind;
mod payload;
mod sink;
mod stream;
mod strip;

pub use decoder::Decoder;
pub use error::Error;
pub use kind::{Kind, MAX_PAYLOAD};
pub(crate) use payload::signed_bytes;
pub use payload::{MAX_BLOCK_TRANSACTIONS, MAX_CHECKPOINTS, MAX_FILTER, MAX_FILTER_HASHES};
pub use strip::{block_without_witness, transaction_without_witness};

use std::sync::Arc;

use ::bitcoin::hashes::{Hash, sha256d};

use crate::link::Carrier;
use crate::message::Message;

use sink::Counter;

/// How messages are told apart on a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Framing {
    /// Bitcoin's version 1, with the magic of the chain.
    Bitcoin([u8; 4]),
    /// Ours, for streams that are authenticated and keep their order: no magic, no checksum.
    Stream,
}

impl Framing {
    /// The framing of a carrier; `magic` is the chain's.
    #[must_use]
    pub const fn of(carrier: Carrier, magic: [u8; 4]) -> Self {
        match carrier {
            Carrier::Bitcoin => Self::Bitcoin(magic),
            Carrier::Libp2p => Self::Stream,
        }
    }
}

/// The message as bytes.
///
/// What the message's type says of its lists (their length, that places grow) is taken as kept. [`Message::Unknown`] is
/// written with its name and a payload of as many zeros as its size says, at most [`MAX_PAYLOAD`].
#[must_use]
pub fn encode(message: &Message, framing: Framing) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(message, framing, &mut out);
    out
}

/// Appends the message to `out`. A block's or transaction's bytes are copied once, into `out`.
pub fn encode_into(message: &Message, framing: Framing, out: &mut Vec<u8>) {
    let size = payload_len(message);
    out.reserve(head_len(message, framing, size).saturating_add(size));
    match framing {
        Framing::Bitcoin(magic) => bitcoin::write(message, magic, size, out),
        Framing::Stream => stream::write(message, size, out),
    }
}

/// Appends the message to `out`, but of a block what stands before its bytes alone. They are given, for whoever can write
/// them behind `out` from where they are.
#[must_use = "a block is not complete without its bytes"]
pub fn encode_apart(message: &Message, framing: Framing, out: &mut Vec<u8>) -> Option<Arc<Vec<u8>>> {
    let Message::Block(block) = message else {
        encode_into(message, framing, out);
        return None;
    };
    let bytes = Arc::clone(block.bytes());
    match framing {
        Framing::Bitcoin(magic) => {
            let checksum = bitcoin::checksum(sha256d::Hash::hash(&bytes));
            bitcoin::write_head(message, magic, bytes.len(), checksum, out);
        }
        Framing::Stream => stream::write_head(message, bytes.len(), out),
    }
    Some(bytes)
}

/// Bytes of the message on the wire: the length of what [`encode`] gives, without making it.
#[must_use]
pub fn encoded_len(message: &Message, framing: Framing) -> usize {
    let size = payload_len(message);
    head_len(message, framing, size).saturating_add(size)
}

fn payload_len(message: &Message) -> usize {
    let mut counter = Counter::default();
    payload::write(message, &mut counter);
    counter.count()
}

fn head_len(message: &Message, framing: Framing, size: usize) -> usize {
    match framing {
        Framing::Bitcoin(_) => bitcoin::HEAD,
        Framing::Stream => stream::head_len(message, size),
    }
}

#[cfg(test)]
mod tests;
