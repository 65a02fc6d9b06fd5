//! Kinds of messages, to be counted apart.

use yap_protocol::Message;
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
            Message::Announce(_) | Message::Mempool | Message::Push(_) | Message::PoolSummary(_) => Self::Announcement,
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
