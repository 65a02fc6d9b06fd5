//! Messages of every kind, as they follow from a seed: for tests.
//!
//! Every value can stand on the wire and comes back from there as it was. Nothing else of it holds: blocks have no work,
//! transactions spend nothing.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests, which a generator must stop that is wrong"
)]

use std::net::Ipv6Addr;
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::bip158::{FilterHash, FilterHeader};
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version as TransactionVersion;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Txid, Witness, Wtxid,
    consensus,
};
use ed25519_dalek::SigningKey;
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use crate::address::{Host, Multiaddr};
use crate::codec::Kind;
use crate::message::*;
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::Timestamp;

/// Bytes.
pub fn bytes<const N: usize>(random: &mut Random) -> [u8; N] {
    std::array::from_fn(|_| random.next_u64() as u8)
}

/// Bytes, at most this many.
pub fn blob(random: &mut Random, most: usize) -> Vec<u8> {
    let length = random.index(most.saturating_add(1));
    (0..length).map(|_| random.next_u64() as u8).collect()
}

/// At most this many of something.
pub fn list<T>(random: &mut Random, most: usize, mut one: impl FnMut(&mut Random) -> T) -> Vec<T> {
    let length = random.index(most.saturating_add(1));
    (0..length).map(|_| one(random)).collect()
}

fn flag(random: &mut Random) -> bool {
    random.below(2) == 1
}

/// Words of printable ASCII.
pub fn text(random: &mut Random, most: usize) -> Box<str> {
    list(random, most, |random| char::from(b' '.saturating_add(random.below(95) as u8))).into_iter().collect()
}

/// Places that grow strictly.
fn places(random: &mut Random, most: usize) -> Vec<u16> {
    let mut places = list(random, most, |random| {
        let bits = random.below(17);
        random.below(1 << bits) as u16
    });
    places.sort_unstable();
    places.dedup();
    places
}

fn hash(random: &mut Random) -> BlockHash {
    BlockHash::from_byte_array(bytes(random))
}

/// A header without work.
pub fn header(random: &mut Random) -> Header {
    Header {
        version: BlockVersion::from_consensus(random.next_u64() as i32),
        prev_blockhash: hash(random),
        merkle_root: TxMerkleNode::from_byte_array(bytes(random)),
        time: random.next_u64() as u32,
        bits: CompactTarget::from_consensus(random.next_u64() as u32),
        nonce: random.next_u64() as u32,
    }
}

/// A transaction, with a witness or without.
pub fn transaction(random: &mut Random) -> Arc<Transaction> {
    Arc::new(Transaction::parse(consensus::serialize(&decoded(random))).expect("it was serialised"))
}

fn decoded(random: &mut Random) -> bitcoin::Transaction {
    let witness = flag(random);
    let input = |random: &mut Random| TxIn {
        previous_output: OutPoint { txid: Txid::from_byte_array(bytes(random)), vout: random.next_u64() as u32 },
        script_sig: ScriptBuf::from(blob(random, 40)),
        sequence: Sequence(random.next_u64() as u32),
        witness: if witness {
            Witness::from_slice(&list(random, 3, |random| blob(random, 80)))
        } else {
            Witness::new()
        },
    };
    let output = |random: &mut Random| TxOut {
        value: Amount::from_sat(random.next_u64()),
        script_pubkey: ScriptBuf::from(blob(random, 40)),
    };
    let mut inputs = vec![input(random)];
    inputs.extend(list(random, 2, input));
    bitcoin::Transaction {
        version: TransactionVersion(random.next_u64() as i32),
        lock_time: LockTime::from_consensus(random.next_u64() as u32),
        input: inputs,
        output: list(random, 3, output),
    }
}

/// A block without work.
pub fn block(random: &mut Random) -> Arc<Block> {
    let block = bitcoin::Block { header: header(random), txdata: list(random, 5, decoded) };
    Arc::new(Block::parse(consensus::serialize(&block)).expect("it was serialised"))
}

fn services(random: &mut Random) -> Services {
    let bits = random.below(65) as u32;
    Services(random.next_u64().checked_shr(bits).unwrap_or(0))
}

fn seen(random: &mut Random) -> Timestamp {
    Timestamp(random.below(1 << 32))
}

fn ipv6(random: &mut Random) -> Host {
    // 2000::/3: embeds nothing.
    let mut address: [u8; 16] = bytes(random);
    address[0] = 0x20 | address[0] & 0x1f;
    Host::Ipv6(address.into())
}

/// A host that `addr` can name.
fn host_v1(random: &mut Random) -> NetworkId {
    match random.below(5) {
        0 => NetworkId::None,
        1 | 2 => NetworkId::Known(ipv6(random)),
        _ => NetworkId::Known(Host::Ipv4(bytes::<4>(random).into())),
    }
}

/// A host that `addrv2` can name.
fn host_v2(random: &mut Random) -> NetworkId {
    match random.below(8) {
        0 => NetworkId::Known(Host::Tor(bytes(random))),
        1 => NetworkId::Known(Host::I2p(bytes(random))),
        2 => {
            let [_, rest @ ..] = bytes::<16>(random);
            let mut address = [0xfc; 16];
            address[1..].copy_from_slice(&rest);
            NetworkId::Known(Host::Cjdns(Ipv6Addr::from(address)))
        }
        3 => NetworkId::Other([0, 3, 7, 200][random.index(4)]),
        _ => host_v1(random),
    }
}

fn known(random: &mut Random, host: fn(&mut Random) -> NetworkId) -> KnownAddress {
    KnownAddress { seen: seen(random), services: services(random), host: host(random), port: random.next_u64() as u16 }
}

fn inventory(random: &mut Random) -> Inventory {
    match random.below(7) {
        0 => Inventory::Tx(Txid::from_byte_array(bytes(random))),
        1 => Inventory::Wtx(Wtxid::from_byte_array(bytes(random))),
        2 => Inventory::WitnessTx(Txid::from_byte_array(bytes(random))),
        3 => Inventory::Block(hash(random)),
        4 => Inventory::WitnessBlock(hash(random)),
        5 => Inventory::CompactBlock(hash(random)),
        _ => Inventory::Unknown { kind: [3, 6, 0x4000_0005, u32::MAX][random.index(4)], hash: bytes(random) },
    }
}

fn locate(random: &mut Random) -> Locate {
    Locate { locator: list(random, 40, hash), stop: hash(random) }
}

fn version(random: &mut Random) -> Version {
    Version {
        version: random.next_u64() as u32,
        services: services(random),
        timestamp: seen(random),
        receiver: (services(random), host_v1(random), random.next_u64() as u16),
        nonce: random.next_u64(),
        user_agent: text(random, MAX_USER_AGENT),
        start_height: random.next_u64() as i32,
        relay: flag(random),
    }
}

/// A compact block of which all places are filled.
fn compact_block(random: &mut Random) -> CompactBlock {
    let count = random.below(600) as u16;
    let mut block =
        CompactBlock { header: header(random), nonce: random.next_u64(), short_ids: Vec::new(), prefilled: Vec::new() };
    for index in 0..count {
        if random.below(100) == 0 {
            block.prefilled.push(Prefilled { index, transaction: transaction(random) });
        } else {
            block.short_ids.push(ShortId(bytes(random)));
        }
    }
    block
}

fn irreversible(random: &mut Random) -> Irreversible {
    Irreversible { height: random.next_u64() as u32, hash: hash(random) }
}

fn greeting(random: &mut Random) -> Greeting {
    Greeting {
        features: Features(random.next_u64()),
        genesis: hash(random),
        tip: hash(random),
        work: bytes(random),
        irreversible: flag(random).then(|| irreversible(random)),
        short_id_key: [random.next_u64(), random.next_u64()],
        push: flag(random),
    }
}

/// A record that is signed by its peer.
pub fn peer_record(random: &mut Random) -> PeerRecord {
    let endpoint = |random: &mut Random| {
        let mut bytes = blob(random, 60);
        bytes.push(1);
        Multiaddr::new(&bytes).expect("it has a byte, and not too many")
    };
    let endpoints = list(random, MAX_ENDPOINTS, endpoint);
    PeerRecord::sign(&SigningKey::from_bytes(&bytes(random)), random.next_u64(), services(random), endpoints)
        .expect("there are not too many endpoints")
}

fn announced(random: &mut Random) -> Vec<Announced> {
    list(random, 20, |random| Announced(random.next_u64()))
}

fn range(random: &mut Random) -> GetCFRange {
    GetCFRange { kind: random.next_u64() as u8, start: random.next_u64() as u32, stop: hash(random) }
}

fn goodbye(random: &mut Random) -> Goodbye {
    let number = random.next_u64() as u8;
    Goodbye { reason: Reason::of(number).ok_or(number), text: text(random, MAX_GOODBYE_TEXT) }
}

/// Any message.
pub fn message(random: &mut Random) -> Message {
    match Kind::ALL.get(random.index(Kind::ALL.len().saturating_add(1))) {
        Some(kind) => message_of(*kind, random),
        None => Message::Unknown {
            command: ["merkleblock", "feature", "sendtxrcncl", "a"][random.index(4)].into(),
            size: random.below(1000) as u32,
        },
    }
}

/// A message of one kind.
pub fn message_of(kind: Kind, random: &mut Random) -> Message {
    let block_kind = random.next_u64() as u8;
    match kind {
        Kind::Version => Message::Version(Box::new(version(random))),
        Kind::Verack => Message::Verack,
        Kind::WtxidRelay => Message::WtxidRelay,
        Kind::SendAddrV2 => Message::SendAddrV2,
        Kind::SendHeaders => Message::SendHeaders,
        Kind::SendCompact => {
            Message::SendCompact(SendCompact { high_bandwidth: flag(random), version: random.next_u64() })
        }
        Kind::FeeFilter => Message::FeeFilter(random.below(Amount::MAX_MONEY.to_sat())),
        Kind::Ping => Message::Ping(random.next_u64()),
        Kind::Pong => Message::Pong(random.next_u64()),
        Kind::GetAddr => Message::GetAddr,
        Kind::Addr => Message::Addr(list(random, 20, |random| known(random, host_v1))),
        Kind::AddrV2 => Message::AddrV2(list(random, 20, |random| known(random, host_v2))),
        Kind::Inv => Message::Inv(list(random, 300, inventory)),
        Kind::GetData => Message::GetData(list(random, 20, inventory)),
        Kind::NotFound => Message::NotFound(list(random, 20, inventory)),
        Kind::GetHeaders => Message::GetHeaders(locate(random)),
        Kind::GetBlocks => Message::GetBlocks(locate(random)),
        Kind::Headers => Message::Headers(list(random, 300, header)),
        Kind::Transaction => Message::Transaction(transaction(random)),
        Kind::Block => Message::Block(block(random)),
        Kind::CompactBlock => Message::CompactBlock(Arc::new(compact_block(random))),
        Kind::GetBlockTransactions => {
            let (block, indexes) = (hash(random), places(random, 300));
            Message::GetBlockTransactions(GetBlockTransactions { block, indexes })
        }
        Kind::BlockTransactions => {
            let (block, transactions) = (hash(random), list(random, 5, transaction));
            Message::BlockTransactions(BlockTransactions { block, transactions })
        }
        Kind::Mempool => Message::Mempool,
        Kind::GetCFilters => Message::GetCFilters(range(random)),
        Kind::CFilter => Message::CFilter(CFilter { kind: block_kind, block: hash(random), filter: blob(random, 300) }),
        Kind::GetCFHeaders => Message::GetCFHeaders(range(random)),
        Kind::CFHeaders => {
            let hashes = list(random, 20, |random| FilterHash::from_byte_array(bytes(random)));
            let previous = FilterHeader::from_byte_array(bytes(random));
            Message::CFHeaders(CFHeaders { kind: block_kind, stop: hash(random), previous, hashes })
        }
        Kind::GetCFCheckpoints => Message::GetCFCheckpoints(GetCFCheckpoints { kind: block_kind, stop: hash(random) }),
        Kind::CFCheckpoints => {
            let headers = list(random, 20, |random| FilterHeader::from_byte_array(bytes(random)));
            Message::CFCheckpoints(CFCheckpoints { kind: block_kind, stop: hash(random), headers })
        }
        Kind::Greeting => Message::Greeting(greeting(random)),
        Kind::Goodbye => Message::Goodbye(goodbye(random)),
        Kind::PeerRecords => Message::PeerRecords(list(random, 3, |random| Arc::new(peer_record(random)))),
        Kind::Irreversible => Message::Irreversible(irreversible(random)),
        Kind::Announce => Message::Announce(announced(random)),
        Kind::Request => Message::Request(announced(random)),
        Kind::Gone => Message::Gone(announced(random)),
        Kind::Push => Message::Push(flag(random)),
        Kind::PoolSummary => {
            let sums = list(random, 20, Random::next_u64);
            Message::PoolSummary(PoolSummary { count: random.next_u64() as u32, sums })
        }
    }
}
