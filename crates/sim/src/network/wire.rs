//! Kinds of messages, and the bytes that each takes on the wire.

use yap_protocol::Message;
use yap_protocol::link::Carrier;
use yap_protocol::message::Inventory;

/// Kinds of messages that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Handshake, choices of what is wanted, `ping` and `pong`, goodbyes.
    Control,
    /// Addresses and requests for them.
    Addresses,
    /// Announcements of transactions, by `inv` or short id.
    Announcement,
    /// Requests for transactions, and answers that they are gone.
    Request,
    /// Transactions.
    Transaction,
    /// Headers, locators, announcements of blocks.
    Headers,
    /// Requests for blocks, or for parts of them.
    BlockRequest,
    /// Compact blocks and parts of blocks.
    Compact,
    /// Whole blocks.
    Block,
    /// Compact filters.
    Filters,
    /// Bytes that are no message.
    Noise,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Control,
        Self::Addresses,
        Self::Announcement,
        Self::Request,
        Self::Transaction,
        Self::Headers,
        Self::BlockRequest,
        Self::Compact,
        Self::Block,
        Self::Filters,
        Self::Noise,
    ];

    /// Those that carry transactions from node to node.
    pub const TRANSACTIONS: [Self; 3] = [Self::Announcement, Self::Request, Self::Transaction];

    /// Those that carry blocks from node to node.
    pub const BLOCKS: [Self; 4] = [Self::Headers, Self::BlockRequest, Self::Compact, Self::Block];

    /// What kind a message is.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        match message {
            Message::Version(_)
            | Message::Verack
            | Message::WtxidRelay
            | Message::SendAddrV2
            | Message::SendHeaders
            | Message::SendCompact(_)
            | Message::FeeFilter(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Greeting(_)
            | Message::Goodbye(_)
            | Message::Irreversible(_)
            | Message::Unknown { .. } => Self::Control,
            Message::GetAddr | Message::Addr(_) | Message::AddrV2(_) | Message::PeerRecords(_) => Self::Addresses,
            Message::Inv(items) => inventory(items, Self::Announcement, Self::Headers),
            Message::GetData(items) | Message::NotFound(items) => inventory(items, Self::Request, Self::BlockRequest),
            Message::Announce(_) | Message::Mempool => Self::Announcement,
            Message::Request(_) | Message::Gone(_) => Self::Request,
            Message::Transaction(_) => Self::Transaction,
            Message::GetHeaders(_) | Message::GetBlocks(_) | Message::Headers(_) => Self::Headers,
            Message::GetBlockTransactions(_) => Self::BlockRequest,
            Message::CompactBlock(_) | Message::BlockTransactions(_) => Self::Compact,
            Message::Block(_) => Self::Block,
            Message::GetCFilters(_)
            | Message::CFilter(_)
            | Message::GetCFHeaders(_)
            | Message::CFHeaders(_)
            | Message::GetCFCheckpoints(_)
            | Message::CFCheckpoints(_) => Self::Filters,
        }
    }
}

/// An inventory is counted as what its first item is; ours never mix.
fn inventory(items: &[Inventory], transactions: Kind, blocks: Kind) -> Kind {
    match items.first() {
        Some(Inventory::Block(_) | Inventory::WitnessBlock(_) | Inventory::CompactBlock(_)) => blocks,
        Some(Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. }) | None => {
            transactions
        }
    }
}

/// Bytes of a message on the wire, framing included.
#[must_use]
pub fn size(message: &Message, carrier: Carrier) -> usize {
    let payload = payload(message);
    match carrier {
        // Magic, command, length, checksum.
        Carrier::Bitcoin => 24 + payload,
        // Length and kind.
        Carrier::Libp2p => compact(payload + 1) + 1 + payload,
    }
}

/// Bytes of a compact integer.
const fn compact(value: usize) -> usize {
    match value {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    }
}

/// Bytes of a list of things of one size.
const fn list(length: usize, each: usize) -> usize {
    compact(length) + length * each
}

fn payload(message: &Message) -> usize {
    match message {
        Message::Version(version) => 85 + version.user_agent.len() + 1,
        Message::Verack
        | Message::WtxidRelay
        | Message::SendAddrV2
        | Message::SendHeaders
        | Message::GetAddr
        | Message::Mempool => 0,
        Message::SendCompact(_) => 9,
        Message::FeeFilter(_) | Message::Ping(_) | Message::Pong(_) => 8,
        Message::Addr(addresses) => list(addresses.len(), 30),
        Message::AddrV2(addresses) => list(addresses.len(), 14),
        Message::Inv(items) | Message::GetData(items) | Message::NotFound(items) => list(items.len(), 36),
        Message::GetHeaders(locate) | Message::GetBlocks(locate) => 4 + list(locate.locator.len(), 32) + 32,
        Message::Headers(headers) => list(headers.len(), 81),
        Message::Transaction(transaction) => transaction.total_size(),
        Message::Block(block) => block.bytes().len(),
        Message::CompactBlock(block) => {
            let prefilled: usize = block.prefilled.iter().map(|one| 1 + one.transaction.total_size()).sum();
            88 + list(block.short_ids.len(), 6) + compact(block.prefilled.len()) + prefilled
        }
        Message::GetBlockTransactions(request) => 32 + list(request.indexes.len(), 1),
        Message::BlockTransactions(answer) => {
            let total: usize = answer.transactions.iter().map(|transaction| transaction.total_size()).sum();
            32 + compact(answer.transactions.len()) + total
        }
        Message::GetCFilters(_) | Message::GetCFHeaders(_) => 37,
        Message::CFilter(filter) => 33 + list(filter.filter.len(), 1),
        Message::CFHeaders(headers) => 65 + list(headers.hashes.len(), 32),
        Message::GetCFCheckpoints(_) => 33,
        Message::CFCheckpoints(checkpoints) => 33 + list(checkpoints.headers.len(), 32),
        Message::Greeting(greeting) => 129 + if greeting.irreversible.is_some() { 37 } else { 1 },
        Message::Goodbye(goodbye) => 2 + goodbye.text.len(),
        Message::PeerRecords(records) => {
            let endpoints = |endpoints: &[yap_protocol::address::Multiaddr]| {
                endpoints.iter().map(|endpoint| 1 + endpoint.as_bytes().len()).sum::<usize>()
            };
            compact(records.len()) + records.iter().map(|record| 113 + endpoints(&record.endpoints)).sum::<usize>()
        }
        Message::Irreversible(_) => 36,
        Message::Announce(ids) | Message::Request(ids) | Message::Gone(ids) => list(ids.len(), 8),
        Message::Unknown { size, .. } => *size as usize,
    }
}
