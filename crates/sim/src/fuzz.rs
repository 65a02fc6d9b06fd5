//! What must hold of the decoders, and of a node, for any bytes at all.
//!
//! A [`Target`] is one decoder with valid inputs to start from; its body decodes, and where that succeeds checks that
//! encoding gives the value back, that what was computed of it is right, and that it takes no more memory than its
//! bytes may ask for. The target [`node()`] is a whole node, to which the bytes tell what happens. `fuzz/` runs the bodies under libFuzzer, `tests/fuzz.rs` over [`mutated`] inputs with a seed.

mod chain;
mod disk;
mod message;
mod mutation;
mod node;
mod policy;
mod samples;

use bitcoin::consensus::encode;
use bitcoin::{BlockHash, hashes::Hash};
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::filter::{Filter, gcs};
use yap_chain::integer;
use yap_chain::transaction::Transaction;
use yap_chain::undo;

pub use chain::{header, solution, spec};
pub use disk::{framing, row};
pub use message::{message_bitcoin, message_stream};
pub use mutation::mutated;
pub use node::node;
pub use policy::policy;

/// One decoder, or a whole node, and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name, also of its program and corpus in `fuzz/`.
    pub name: &'static str,
    /// Panics if something does not hold for the bytes.
    pub body: fn(&[u8]) -> Outcome,
    /// Valid inputs.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// What a body saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes are not what the decoder takes.
    Refused,
    /// They are, and everything held.
    Held,
}

/// Every target.
pub const TARGETS: [Target; 17] = [
    Target { name: "block", body: block, samples: samples::blocks },
    Target { name: "transaction", body: transaction, samples: samples::transactions },
    Target { name: "coin", body: coin, samples: samples::coins },
    Target { name: "undo", body: undo, samples: samples::undo },
    Target { name: "key", body: key, samples: samples::keys },
    Target { name: "filter", body: filter, samples: samples::filters },
    Target { name: "elements", body: elements, samples: samples::elements },
    Target { name: "integer", body: integer, samples: samples::integers },
    Target { name: "spec", body: spec, samples: samples::specs },
    Target { name: "header", body: header, samples: samples::headers },
    Target { name: "solution", body: solution, samples: samples::solutions },
    Target { name: "framing", body: framing, samples: samples::framings },
    Target { name: "row", body: row, samples: samples::rows },
    Target { name: "policy", body: policy, samples: samples::spends },
    Target { name: "message_bitcoin", body: message_bitcoin, samples: message::bitcoin_samples },
    Target { name: "message_stream", body: message_stream, samples: message::stream_samples },
    Target { name: "node", body: node, samples: node::samples },
];

/// Bytes of memory that a decoded coin or undo data may take per byte read, as the codecs document.
const MEMORY_PER_BYTE: usize = 64;

/// A block is the same whether it is read at once or later. It comes back from its parts, and holds no more transactions than its bytes can.
pub fn block(data: &[u8]) -> Outcome {
    let later = Block::unread(data.to_vec()).ok();
    let Ok(block) = Block::parse(data.to_vec()) else {
        assert!(later.is_none_or(|block| block.read().is_err() && block.transactions().is_empty()));
        return Outcome::Refused;
    };
    assert_eq!(later.as_ref().and_then(|block| block.read().ok()), Some(block.transactions()));
    assert_eq!(***block.bytes(), *data);
    assert_eq!(block.hash(), block.header().block_hash());
    assert!(block.transactions().len() <= data.len() / 10, "each takes ten bytes or more");
    let transactions = block.transactions().iter().map(Transaction::decoded).cloned().collect();
    let decoded = bitcoin::Block { header: *block.header(), txdata: transactions };
    assert_eq!(encode::serialize(&decoded), data);
    block.transactions().iter().for_each(check_transaction);
    let filter = yap_chain::filter::basic(&block, &undo::Undo::default());
    assert_eq!(gcs::check(filter.bytes()), Ok(()));
    Outcome::Held
}

/// A transaction comes back from its decoded form, with the ids and sizes of that.
pub fn transaction(data: &[u8]) -> Outcome {
    let Ok(transaction) = Transaction::parse(data.to_vec()) else { return Outcome::Refused };
    assert_eq!(transaction.raw().as_slice(), data);
    check_transaction(&transaction);
    Outcome::Held
}

fn check_transaction(transaction: &Transaction) {
    let decoded = transaction.decoded();
    assert_eq!(encode::serialize(decoded), transaction.raw().as_slice());
    assert_eq!(transaction.txid(), decoded.compute_txid());
    assert_eq!(transaction.wtxid(), decoded.compute_wtxid());
    assert_eq!(transaction.base_size(), decoded.base_size());
    assert_eq!(transaction.total_size(), decoded.total_size());
    assert_eq!(transaction.weight() as u64, decoded.weight().to_wu());
}

/// A coin comes back, in no more bytes than it was read from.
pub fn coin(data: &[u8]) -> Outcome {
    let mut rest = data;
    let Ok(coin) = codec::decode(&mut rest) else { return Outcome::Refused };
    let used = data.len() - rest.len();
    assert_eq!(data[used..], *rest);
    assert!(size_of::<Coin>() + coin.heap_size() <= MEMORY_PER_BYTE * used);
    let mut bytes = Vec::new();
    codec::encode(&coin, &mut bytes);
    // Other bytes may mean the same coin: a script that has a template, written at full length.
    assert!(bytes.len() <= used);
    assert_eq!(codec::decode(&mut &bytes[..]), Ok(coin));
    Outcome::Held
}

/// Undo data comes back, and takes memory in proportion to its bytes.
pub fn undo(data: &[u8]) -> Outcome {
    let Ok(undo) = undo::codec::decode(data) else { return Outcome::Refused };
    let coins = undo.transactions.iter().flat_map(|coins| coins.iter());
    let memory =
        undo.transactions.capacity() * 32 + coins.map(|coin| size_of::<Coin>() + coin.heap_size()).sum::<usize>();
    assert!(memory <= MEMORY_PER_BYTE * data.len(), "{memory} bytes of memory for {}", data.len());
    let mut bytes = Vec::new();
    undo::codec::encode(&undo, &mut bytes);
    assert_eq!(undo::codec::decode(&bytes), Ok(undo));
    Outcome::Held
}

/// Every key is that of one outpoint, and keys order as outpoints do.
pub fn key(data: &[u8]) -> Outcome {
    let keys: Vec<[u8; codec::KEY_SIZE]> = data.as_chunks().0.to_vec();
    for key in &keys {
        assert_eq!(codec::key(&codec::outpoint(key)), *key);
    }
    for pair in keys.windows(2) {
        let [left, right] = [pair[0], pair[1]].map(|key| {
            let outpoint = codec::outpoint(&key);
            (outpoint.txid.to_byte_array(), outpoint.vout)
        });
        assert_eq!(pair[0].cmp(&pair[1]), left.cmp(&right));
    }
    Outcome::Held
}

/// A filter comes back, and can be asked.
pub fn filter(data: &[u8]) -> Outcome {
    let block = BlockHash::all_zeros();
    // Bytes that were not checked must do no harm either.
    let unchecked = gcs::match_any(gcs::Key::from(&block), data, data.chunks(20));
    let Ok(filter) = Filter::from_bytes(data.to_vec()) else { return Outcome::Refused };
    assert_eq!(filter.bytes(), data);
    assert_eq!(unchecked, Ok(filter.match_any(&block, data.chunks(20))));
    assert!(!filter.match_any(&block, []));
    Outcome::Held
}

/// A filter of any elements, given in any order and number, matches each of them.
pub fn elements(data: &[u8]) -> Outcome {
    let Some((&size, data)) = data.split_first() else { return Outcome::Refused };
    let elements: Vec<&[u8]> = data.chunks(usize::from(size).max(1)).collect();
    let key = gcs::Key::from(&BlockHash::hash(data));
    let set = gcs::build(key, elements.iter().copied());
    assert_eq!(gcs::check(&set), Ok(()));
    for element in elements.iter().step_by(elements.len() / 16 + 1) {
        assert_eq!(gcs::match_any(key, &set, [*element]), Ok(true));
    }
    let again = elements.iter().rev().chain(&elements).copied();
    assert_eq!(gcs::build(key, again), set);
    Outcome::Held
}

/// Integers come back, from the very bytes they were read from.
pub fn integer(data: &[u8]) -> Outcome {
    let mut outcome = Outcome::Refused;
    let mut rest = data;
    if let Ok(value) = integer::read_varint(&mut rest) {
        let mut bytes = Vec::new();
        integer::write_varint(value, &mut bytes);
        assert_eq!(bytes, data[..data.len() - rest.len()]);
        outcome = Outcome::Held;
        assert_eq!(integer::read_varint_u32(&mut &bytes[..]).ok(), u32::try_from(value).ok());
    }
    let mut rest = data;
    if let Ok(value) = integer::read_compact(&mut rest) {
        let mut bytes = Vec::new();
        integer::write_compact(usize::try_from(value).expect("64 bits"), &mut bytes);
        assert_eq!(bytes, data[..data.len() - rest.len()]);
        outcome = Outcome::Held;
    }
    outcome
}
