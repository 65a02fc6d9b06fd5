//! What peers say: true answers to what the node asked, and everything else that follows from the fixture.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Wtxid};
use yap_protocol::address::Host;
use yap_protocol::message::{
    Announced, BlockTransactions, Features, GetBlockTransactions, Goodbye, Greeting, Inventory, Irreversible,
    KnownAddress, Locate, MAX_HEADERS, NetworkId, PROTOCOL_VERSION, PoolSummary, SendCompact, Services, Version,
};
use yap_protocol::penalty::Reason;
use yap_protocol::{Message, Random, Timestamp, arbitrary, compact};

use super::cursor::Cursor;
use super::fixture::Fixture;

/// Items that are answered of one request.
const ANSWERED: usize = 16;

/// What a peer says first.
pub(super) fn version(number: u64, choice: u8, wall: Timestamp) -> Message {
    let services = Services::NETWORK.with(Services::WITNESS);
    Message::Version(Box::new(Version {
        version: if choice == 255 { 70001 } else { PROTOCOL_VERSION },
        services: if choice & 0xf0 == 0x70 { Services::NONE } else { services },
        timestamp: Timestamp(wall.0 + u64::from(choice & 7)),
        receiver: (Services::NONE, NetworkId::None, 0),
        nonce: number,
        user_agent: "/fuzz/".into(),
        start_height: i32::from(choice),
        relay: choice & 8 == 0,
    }))
}

/// A greeting of the peer of that number.
pub(super) fn greeting(number: u64, choice: u8, fixture: &Fixture) -> Message {
    let tree = &fixture.tree;
    let genesis = tree.hash(tree.genesis());
    Message::Greeting(Greeting {
        features: if choice & 0xf0 == 0x60 { Features(u64::from(choice)) } else { Features::ALL },
        genesis: if choice == 254 { BlockHash::all_zeros() } else { genesis },
        tip: fixture.block(choice & 1, choice >> 1).hash(),
        work: tree.work(tree.best()).to_be_bytes(),
        irreversible: (choice & 0xf0 == 0x50).then_some(Irreversible { height: 0, hash: genesis }),
        short_id_key: key(number),
        push: choice & 2 == 0,
    })
}

/// The short-id key of the peer of that number.
pub(super) const fn key(number: u64) -> [u64; 2] {
    [number, !number]
}

/// A true answer to what the node said.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest asks for nothing")]
pub(super) fn answer(asked: &Message, keys: &[[u64; 2]], choice: u8, fixture: &Fixture) -> Vec<Message> {
    match asked {
        Message::Ping(nonce) => vec![Message::Pong(*nonce)],
        Message::GetHeaders(locate) => vec![headers(locate, choice, fixture)],
        Message::GetData(items) => items.iter().take(ANSWERED).map(|item| item_of(item, choice, fixture)).collect(),
        Message::Inv(items) => vec![Message::GetData(items.iter().take(ANSWERED).copied().collect())],
        Message::Headers(headers) => {
            let items = headers.iter().take(ANSWERED).map(|header| Inventory::WitnessBlock(header.block_hash()));
            vec![Message::GetData(items.collect())]
        }
        Message::CompactBlock(block) => vec![Message::GetBlockTransactions(GetBlockTransactions {
            block: block.header.block_hash(),
            indexes: vec![0, u16::from(choice) + 1],
        })],
        Message::GetBlockTransactions(parts) => {
            let block = fixture.blocks.get(&parts.block);
            let transaction = |index: &u16| block.and_then(|block| block.transactions().get(usize::from(*index)));
            let transactions = parts.indexes.iter().filter_map(transaction).cloned().map(Arc::new).collect();
            vec![Message::BlockTransactions(BlockTransactions { block: parts.block, transactions })]
        }
        Message::Announce(ids) => vec![Message::Request(ids.clone())],
        Message::Request(ids) => {
            let wanted = |wtxid: &Wtxid| keys.iter().any(|key| ids.contains(&Announced::of(wtxid, *key)));
            let found = fixture.transactions.iter().filter(|one| wanted(&one.wtxid())).take(ANSWERED);
            found.map(|one| Message::Transaction(Arc::clone(one))).collect()
        }
        Message::GetAddr => vec![addresses(choice, fixture)],
        _ => Vec::new(),
    }
}

fn headers(locate: &Locate, choice: u8, fixture: &Fixture) -> Message {
    let chain = &fixture.chains[usize::from(choice) % 2];
    let known = |hash: &BlockHash| chain.iter().position(|block| block.hash() == *hash);
    let from = locate.locator.iter().find_map(known).map_or(0, |at| at + 1);
    Message::Headers(chain.iter().skip(from).take(MAX_HEADERS).map(|block| *block.header()).collect())
}

fn item_of(item: &Inventory, choice: u8, fixture: &Fixture) -> Message {
    let gone = Message::NotFound(vec![*item]);
    let transaction =
        |found: Option<&Arc<_>>| found.map_or_else(|| gone.clone(), |one| Message::Transaction(Arc::clone(one)));
    match item {
        Inventory::Tx(txid) | Inventory::WitnessTx(txid) => transaction(fixture.by_txid.get(txid)),
        Inventory::Wtx(wtxid) => transaction(fixture.by_wtxid.get(wtxid)),
        Inventory::Block(hash) | Inventory::WitnessBlock(hash) => {
            fixture.blocks.get(hash).map_or(gone, |block| Message::Block(Arc::clone(block)))
        }
        Inventory::CompactBlock(hash) => fixture.blocks.get(hash).map_or(gone, |block| {
            Message::CompactBlock(Arc::new(compact::make(block, u64::from(choice), &BTreeSet::new())))
        }),
        Inventory::Unknown { .. } => gone,
    }
}

fn addresses(choice: u8, fixture: &Fixture) -> Message {
    let address = |at: u8| KnownAddress {
        seen: Timestamp(u64::from(fixture.wall) - u64::from(at)),
        services: Services::NETWORK.with(Services::WITNESS),
        host: NetworkId::Known(Host::Ipv4(Ipv4Addr::new(11 + choice % 100, at, choice, 1))),
        port: 8333,
    };
    Message::AddrV2((0..=choice % 32).map(address).collect())
}

/// Something that a peer may say of itself, about what the fixture has.
pub(super) fn statement(cursor: &mut Cursor<'_>, keys: &[[u64; 2]], fixture: &Fixture) -> Message {
    let (kind, choice, at) = (cursor.byte(), cursor.byte(), cursor.byte());
    let block = fixture.block(choice, at);
    let transaction = fixture.transaction(at);
    let id = || Announced::of(&transaction.wtxid(), keys[usize::from(choice) % keys.len()]);
    match kind % 28 {
        0 | 1 => headers(&Locate { locator: vec![block.hash()], stop: BlockHash::all_zeros() }, choice, fixture),
        2 => Message::Headers(vec![*block.header()]),
        3 => Message::Inv(vec![Inventory::Block(block.hash())]),
        4 | 5 => Message::Inv(vec![Inventory::Wtx(transaction.wtxid())]),
        6 => Message::Inv(vec![Inventory::Tx(transaction.txid())]),
        7 => Message::GetHeaders(Locate { locator: vec![block.hash()], stop: BlockHash::all_zeros() }),
        8 => Message::GetData(vec![Inventory::WitnessBlock(block.hash()), Inventory::Wtx(transaction.wtxid())]),
        9 => Message::GetData(vec![Inventory::CompactBlock(block.hash())]),
        10 => Message::Block(Arc::clone(block)),
        11 | 12 => Message::CompactBlock(Arc::new(compact::make(block, u64::from(at), &BTreeSet::new()))),
        13 => Message::GetBlockTransactions(GetBlockTransactions { block: block.hash(), indexes: vec![0] }),
        14 => Message::BlockTransactions(BlockTransactions {
            block: block.hash(),
            transactions: block.transactions().iter().skip(usize::from(choice & 1)).cloned().map(Arc::new).collect(),
        }),
        15 | 16 => Message::Transaction(Arc::clone(transaction)),
        17 | 18 => Message::Announce(vec![id()]),
        19 => Message::Request(vec![id()]),
        20 => Message::PoolSummary(PoolSummary { count: u32::from(at), sums: vec![u64::from(choice); 1 << (at % 5)] }),
        21 => Message::Push(choice & 1 == 0),
        22 => addresses(choice, fixture),
        23 => Message::PeerRecords(vec![Arc::new(arbitrary::peer_record(&mut Random::new([at; 32])))]),
        24 => Message::SendCompact(SendCompact { high_bandwidth: choice & 1 == 0, version: 2 }),
        25 => Message::FeeFilter(u64::from(choice) << (at % 32)),
        26 => Message::Irreversible(Irreversible { height: u32::from(at), hash: block.hash() }),
        _ => match choice % 6 {
            0 => Message::SendHeaders,
            1 => Message::GetAddr,
            2 => Message::Mempool,
            3 => Message::Gone(vec![id()]),
            4 => Message::Goodbye(Goodbye { reason: Ok(Reason::Shutdown), text: "".into() }),
            _ => Message::Pong(u64::from(at)),
        },
    }
}
