//! Against the `bitcoin` crate's own messages: the same bytes, and the same meaning, both ways.

use std::sync::Arc;

use ::bitcoin::bip152;
use ::bitcoin::consensus::{deserialize, serialize};
use ::bitcoin::p2p::address::{AddrV2, Address};
use ::bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use ::bitcoin::p2p::message_blockdata::Inventory as TheirInventory;
use ::bitcoin::p2p::{Magic, ServiceFlags};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use super::*;
use crate::address::Host;
use crate::arbitrary;
use crate::message::*;
use crate::time::Timestamp;

/// Messages of each kind that are compared.
const EACH: u8 = 12;

#[test]
fn every_message_of_bitcoin_has_the_same_bytes() {
    let ours_alone =
        ["yapgreeting", "yapgoodbye", "yaprecord", "yapfinal", "yaptxinv", "yapgettx", "yapnotx", "yappush", "yappool"];
    let kinds = Kind::ALL.into_iter().filter(|kind| !ours_alone.contains(&kind.name()));
    let mut compared = 0;
    for (kind, seed) in kinds.flat_map(|kind| (0..EACH).map(move |seed| (kind, seed))) {
        let ours = arbitrary::message_of(kind, &mut random(seed));
        let bytes = encode(&ours, BOTH[0]);
        let theirs: RawNetworkMessage = deserialize(&bytes).unwrap_or_else(|error| panic!("{kind:?}, {seed}: {error}"));
        assert_eq!(*theirs.magic(), Magic::from_bytes(MAGIC));
        assert_eq!(message(theirs.payload()), ours, "seed {seed}");
        assert_eq!(serialize(&theirs), bytes, "seed {seed}, {kind:?}");
        compared += 1;
    }
    assert_eq!(compared, 30 * usize::from(EACH));
}

#[test]
fn messages_that_only_they_know_are_passed_over() {
    for theirs in [NetworkMessage::FilterClear, NetworkMessage::Alert(vec![1, 2, 3])] {
        let name = theirs.cmd();
        let bytes = serialize(&RawNetworkMessage::new(Magic::from_bytes(MAGIC), theirs));
        let Ok(Message::Unknown { command, size }) = decode_one(&bytes, BOTH[0]) else { panic!("{name}") };
        assert_eq!((&*command, 24 + size as usize), (name, bytes.len()));
    }
}

/// Captured from regtest nodes (from the tests of rust-bitcoin, CC0).
#[test]
fn captured_compact_blocks_are_read() {
    let hex = |text: &str| -> Vec<u8> { ::bitcoin::hex::FromHex::from_hex(text).unwrap() };
    let block = hex(
        "00000030d923ad36ff2d955abab07f8a0a6e813bc6e066b973e780c5e36674cad5d1cd1f6e265f2a17a0d35cbe701fe9d0\
        6e2c6324cfe135f6233e8b767bfa3fb4479b71115dc562ffff7f200600000000000000000000000001000200000001000000000000000000\
        0000000000000000000000000000000000000000000000ffffffff0302ee00ffffffff0100f9029500000000015100000000",
    );
    let Ok(Message::CompactBlock(read)) = payload("cmpctblock", &block) else { panic!("a node sent it") };
    assert_eq!((read.short_ids.len(), read.prefilled.len(), read.prefilled[0].index), (0, 1, 0));
    assert_eq!(encode(&Message::CompactBlock(read), BOTH[0])[24..], block);

    let answer = hex(
        "2e93c0cff39ff605020072d96bc3a8d20b8447e294d08092351c8583e08d9b5a0102000000000101000000000000000000\
        0000000000000000000000000000000000000000000000ffffffff0402dc0000ffffffff0200f90295000000001976a9142b4569203694fc\
        997e13f2c0a1383b9e16c77a0d88ac0000000000000000266a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48beb\
        d836974e8cf90120000000000000000000000000000000000000000000000000000000000000000000000000",
    );
    let Ok(Message::BlockTransactions(read)) = payload("blocktxn", &answer) else { panic!("a node sent it") };
    assert!(read.transactions[0].is_coinbase() && read.transactions[0].has_witness());
    assert_eq!(encode(&Message::BlockTransactions(read), BOTH[0])[24..], answer);
}

/// Their message as ours, field by field.
fn message(theirs: &NetworkMessage) -> Message {
    match theirs {
        NetworkMessage::Version(version) => Message::Version(Box::new(Version {
            version: version.version,
            services: services(version.services),
            timestamp: Timestamp(version.timestamp.try_into().unwrap()),
            receiver: (services(version.receiver.services), host(&version.receiver), version.receiver.port),
            nonce: version.nonce,
            user_agent: version.user_agent.as_str().into(),
            start_height: version.start_height,
            relay: version.relay,
        })),
        NetworkMessage::Verack => Message::Verack,
        NetworkMessage::WtxidRelay => Message::WtxidRelay,
        NetworkMessage::SendAddrV2 => Message::SendAddrV2,
        NetworkMessage::SendHeaders => Message::SendHeaders,
        NetworkMessage::SendCmpct(compact) => {
            Message::SendCompact(SendCompact { high_bandwidth: compact.send_compact, version: compact.version })
        }
        NetworkMessage::FeeFilter(rate) => Message::FeeFilter(rate.cast_unsigned()),
        NetworkMessage::Ping(nonce) => Message::Ping(*nonce),
        NetworkMessage::Pong(nonce) => Message::Pong(*nonce),
        NetworkMessage::GetAddr => Message::GetAddr,
        NetworkMessage::Addr(addresses) => Message::Addr(addresses.iter().map(addr_v1).collect()),
        NetworkMessage::AddrV2(addresses) => Message::AddrV2(addresses.iter().map(addr_v2).collect()),
        NetworkMessage::Inv(items) => Message::Inv(items.iter().map(inventory).collect()),
        NetworkMessage::GetData(items) => Message::GetData(items.iter().map(inventory).collect()),
        NetworkMessage::NotFound(items) => Message::NotFound(items.iter().map(inventory).collect()),
        NetworkMessage::GetHeaders(ask) => {
            Message::GetHeaders(Locate { locator: ask.locator_hashes.clone(), stop: ask.stop_hash })
        }
        NetworkMessage::GetBlocks(ask) => {
            Message::GetBlocks(Locate { locator: ask.locator_hashes.clone(), stop: ask.stop_hash })
        }
        NetworkMessage::Headers(headers) => Message::Headers(headers.clone()),
        NetworkMessage::Tx(theirs) => Message::Transaction(transaction(theirs)),
        NetworkMessage::Block(block) => Message::Block(Arc::new(Block::parse(serialize(block)).unwrap())),
        NetworkMessage::MemPool => Message::Mempool,
        other => compact_message(other).unwrap_or_else(|| filter_message(other)),
    }
}

fn compact_message(theirs: &NetworkMessage) -> Option<Message> {
    Some(match theirs {
        NetworkMessage::CmpctBlock(compact) => {
            let bip152::HeaderAndShortIds { header, nonce, short_ids, prefilled_txs } = &compact.compact_block;
            let mut next = 0;
            let prefilled = prefilled_txs.iter().map(|prefilled| {
                let index = next + prefilled.idx;
                next = index + 1;
                Prefilled { index, transaction: transaction(&prefilled.tx) }
            });
            Message::CompactBlock(Arc::new(CompactBlock {
                header: *header,
                nonce: *nonce,
                short_ids: short_ids.iter().map(|id| ShortId(id.to_bytes())).collect(),
                prefilled: prefilled.collect(),
            }))
        }
        NetworkMessage::GetBlockTxn(ask) => Message::GetBlockTransactions(GetBlockTransactions {
            block: ask.txs_request.block_hash,
            indexes: ask.txs_request.indexes.iter().map(|&index| index.try_into().unwrap()).collect(),
        }),
        NetworkMessage::BlockTxn(answer) => Message::BlockTransactions(BlockTransactions {
            block: answer.transactions.block_hash,
            transactions: answer.transactions.transactions.iter().map(transaction).collect(),
        }),
        _ => return None,
    })
}

fn filter_message(theirs: &NetworkMessage) -> Message {
    match theirs {
        NetworkMessage::GetCFilters(ask) => {
            Message::GetCFilters(GetCFRange { kind: ask.filter_type, start: ask.start_height, stop: ask.stop_hash })
        }
        NetworkMessage::GetCFHeaders(ask) => {
            Message::GetCFHeaders(GetCFRange { kind: ask.filter_type, start: ask.start_height, stop: ask.stop_hash })
        }
        NetworkMessage::CFilter(filter) => Message::CFilter(CFilter {
            kind: filter.filter_type,
            block: filter.block_hash,
            filter: filter.filter.clone(),
        }),
        NetworkMessage::CFHeaders(headers) => Message::CFHeaders(CFHeaders {
            kind: headers.filter_type,
            stop: headers.stop_hash,
            previous: headers.previous_filter_header,
            hashes: headers.filter_hashes.clone(),
        }),
        NetworkMessage::GetCFCheckpt(ask) => {
            Message::GetCFCheckpoints(GetCFCheckpoints { kind: ask.filter_type, stop: ask.stop_hash })
        }
        NetworkMessage::CFCheckpt(checkpoints) => Message::CFCheckpoints(CFCheckpoints {
            kind: checkpoints.filter_type,
            stop: checkpoints.stop_hash,
            headers: checkpoints.filter_headers.clone(),
        }),
        other => panic!("{other:?} is compared with nothing"),
    }
}

fn transaction(theirs: &::bitcoin::Transaction) -> Arc<Transaction> {
    Arc::new(Transaction::parse(serialize(theirs)).unwrap())
}

fn services(theirs: ServiceFlags) -> Services {
    Services(theirs.to_u64())
}

fn host(theirs: &Address) -> NetworkId {
    if theirs.address == [0; 8] {
        return NetworkId::None;
    }
    match theirs.socket_addr().unwrap().ip() {
        std::net::IpAddr::V4(address) => NetworkId::Known(Host::Ipv4(address)),
        std::net::IpAddr::V6(address) => NetworkId::Known(Host::Ipv6(address)),
    }
}

fn addr_v1((seen, theirs): &(u32, Address)) -> KnownAddress {
    let seen = Timestamp(u64::from(*seen));
    KnownAddress { seen, services: services(theirs.services), host: host(theirs), port: theirs.port }
}

fn addr_v2(theirs: &::bitcoin::p2p::address::AddrV2Message) -> KnownAddress {
    let host = match &theirs.addr {
        AddrV2::Ipv4(address) => NetworkId::Known(Host::Ipv4(*address)),
        AddrV2::Ipv6(address) if address.is_unspecified() => NetworkId::None,
        AddrV2::Ipv6(address) => NetworkId::Known(Host::Ipv6(*address)),
        AddrV2::TorV2(_) => NetworkId::Other(3),
        AddrV2::TorV3(key) => NetworkId::Known(Host::Tor(*key)),
        AddrV2::I2p(hash) => NetworkId::Known(Host::I2p(*hash)),
        AddrV2::Cjdns(address) => NetworkId::Known(Host::Cjdns(*address)),
        AddrV2::Unknown(network, _) => NetworkId::Other(*network),
    };
    let seen = Timestamp(u64::from(theirs.time));
    KnownAddress { seen, services: services(theirs.services), host, port: theirs.port }
}

fn inventory(theirs: &TheirInventory) -> Inventory {
    match theirs {
        TheirInventory::Transaction(txid) => Inventory::Tx(*txid),
        TheirInventory::WTx(wtxid) => Inventory::Wtx(*wtxid),
        TheirInventory::WitnessTransaction(txid) => Inventory::WitnessTx(*txid),
        TheirInventory::Block(hash) => Inventory::Block(*hash),
        TheirInventory::WitnessBlock(hash) => Inventory::WitnessBlock(*hash),
        TheirInventory::CompactBlock(hash) => Inventory::CompactBlock(*hash),
        TheirInventory::Unknown { inv_type, hash } => Inventory::Unknown { kind: *inv_type, hash: *hash },
        TheirInventory::Error => panic!("decoding never gives it"),
    }
}
