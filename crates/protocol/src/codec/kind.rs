//! Kinds of messages: their names, their types of one byte, their limits.

use crate::message::{
    MAX_ADDRESSES, MAX_GOODBYE_TEXT, MAX_HEADERS, MAX_INVENTORY, MAX_LOCATOR, MAX_PEER_RECORDS, MAX_POOL_SUMS, Message,
    PeerRecord,
};

use super::payload::{MAX_BLOCK_TRANSACTIONS, MAX_CHECKPOINTS, MAX_FILTER, MAX_FILTER_HASHES};

/// Most bytes of any payload: a block's, and Bitcoin Core's `MAX_PROTOCOL_MESSAGE_LENGTH`. Messages that we don't know may
/// have as many; they are passed over without being kept.
pub const MAX_PAYLOAD: usize = 4_000_000;

/// Limit of messages of a few fields. Far more than they have, so that fields can be added.
const SMALL: usize = 1024;

/// Bytes of the count of a list that is limited to 65,535 items.
const COUNT: usize = 3;

/// Bytes of one address of `addrv2` at most: time, services, network, size, address, port (BIP-0155).
const ADDRESS_V2: usize = 4 + 9 + 1 + 3 + super::payload::MAX_ADDRESS_SIZE + 2;

/// The kind of a message that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named like the messages, which say what they are")]
#[non_exhaustive]
pub enum Kind {
    Version,
    Verack,
    WtxidRelay,
    SendAddrV2,
    SendHeaders,
    SendCompact,
    FeeFilter,
    Ping,
    Pong,
    GetAddr,
    Addr,
    AddrV2,
    Inv,
    GetData,
    NotFound,
    GetHeaders,
    GetBlocks,
    Headers,
    Transaction,
    Block,
    CompactBlock,
    GetBlockTransactions,
    BlockTransactions,
    Mempool,
    GetCFilters,
    CFilter,
    GetCFHeaders,
    CFHeaders,
    GetCFCheckpoints,
    CFCheckpoints,
    Greeting,
    Goodbye,
    PeerRecords,
    Irreversible,
    Announce,
    Request,
    Gone,
    Push,
    PoolSummary,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 39] = [
        Self::Version,
        Self::Verack,
        Self::WtxidRelay,
        Self::SendAddrV2,
        Self::SendHeaders,
        Self::SendCompact,
        Self::FeeFilter,
        Self::Ping,
        Self::Pong,
        Self::GetAddr,
        Self::Addr,
        Self::AddrV2,
        Self::Inv,
        Self::GetData,
        Self::NotFound,
        Self::GetHeaders,
        Self::GetBlocks,
        Self::Headers,
        Self::Transaction,
        Self::Block,
        Self::CompactBlock,
        Self::GetBlockTransactions,
        Self::BlockTransactions,
        Self::Mempool,
        Self::GetCFilters,
        Self::CFilter,
        Self::GetCFHeaders,
        Self::CFHeaders,
        Self::GetCFCheckpoints,
        Self::CFCheckpoints,
        Self::Greeting,
        Self::Goodbye,
        Self::PeerRecords,
        Self::Irreversible,
        Self::Announce,
        Self::Request,
        Self::Gone,
        Self::Push,
        Self::PoolSummary,
    ];

    /// Name, at most 12 bytes; type of one byte; most bytes of the payload.
    const fn row(self) -> (&'static str, u8, usize) {
        match self {
            // BIP-0324's types, whatever carries them.
            Self::Addr => ("addr", 1, COUNT + 30 * MAX_ADDRESSES),
            Self::Block => ("block", 2, MAX_PAYLOAD),
            Self::BlockTransactions => ("blocktxn", 3, MAX_PAYLOAD),
            Self::CompactBlock => ("cmpctblock", 4, MAX_PAYLOAD),
            Self::FeeFilter => ("feefilter", 5, SMALL),
            Self::GetBlocks => ("getblocks", 9, SMALL + 32 * MAX_LOCATOR),
            // Places are written as differences. 65,536 places have differences of one byte each; fewer may take
            // three, but then they take more than 250 places each.
            Self::GetBlockTransactions => ("getblocktxn", 10, 32 + 5 + MAX_BLOCK_TRANSACTIONS),
            Self::GetData => ("getdata", 11, COUNT + 36 * MAX_INVENTORY),
            Self::GetHeaders => ("getheaders", 12, SMALL + 32 * MAX_LOCATOR),
            Self::Headers => ("headers", 13, COUNT + 81 * MAX_HEADERS),
            Self::Inv => ("inv", 14, COUNT + 36 * MAX_INVENTORY),
            Self::Mempool => ("mempool", 15, SMALL),
            Self::NotFound => ("notfound", 17, COUNT + 36 * MAX_INVENTORY),
            Self::Ping => ("ping", 18, SMALL),
            Self::Pong => ("pong", 19, SMALL),
            Self::SendCompact => ("sendcmpct", 20, SMALL),
            Self::Transaction => ("tx", 21, MAX_PAYLOAD),
            Self::GetCFilters => ("getcfilters", 22, SMALL),
            Self::CFilter => ("cfilter", 23, 1 + 32 + 5 + MAX_FILTER),
            Self::GetCFHeaders => ("getcfheaders", 24, SMALL),
            Self::CFHeaders => ("cfheaders", 25, 1 + 32 + 32 + COUNT + 32 * MAX_FILTER_HASHES),
            Self::GetCFCheckpoints => ("getcfcheckpt", 26, SMALL),
            Self::CFCheckpoints => ("cfcheckpt", 27, 1 + 32 + 5 + 32 * MAX_CHECKPOINTS),
            Self::AddrV2 => ("addrv2", 28, COUNT + ADDRESS_V2 * MAX_ADDRESSES),
            // BIP-0324 leaves these without a type. Ours holds on streams alone.
            Self::Version => ("version", 0xc0, SMALL),
            Self::Verack => ("verack", 0xc1, SMALL),
            Self::WtxidRelay => ("wtxidrelay", 0xc2, SMALL),
            Self::SendAddrV2 => ("sendaddrv2", 0xc3, SMALL),
            Self::SendHeaders => ("sendheaders", 0xc4, SMALL),
            Self::GetAddr => ("getaddr", 0xc5, SMALL),
            // What Bitcoin lacks.
            Self::Greeting => ("yapgreeting", 0xe0, SMALL),
            Self::Goodbye => ("yapgoodbye", 0xe1, 1 + MAX_GOODBYE_TEXT),
            Self::PeerRecords => ("yaprecord", 0xe2, COUNT + PeerRecord::MAX_SIZE * MAX_PEER_RECORDS),
            Self::Irreversible => ("yapfinal", 0xe3, SMALL),
            Self::Announce => ("yaptxinv", 0xe4, 8 * MAX_INVENTORY),
            Self::Request => ("yapgettx", 0xe5, 8 * MAX_INVENTORY),
            Self::Gone => ("yapnotx", 0xe6, 8 * MAX_INVENTORY),
            Self::Push => ("yappush", 0xe7, SMALL),
            Self::PoolSummary => ("yappool", 0xe8, 4 + 8 * MAX_POOL_SUMS),
        }
    }

    /// The name on the wire, at most 12 bytes of ASCII.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The type of one byte that stands for the name on streams: BIP-0324's where it has one.
    #[must_use]
    pub const fn short(self) -> u8 {
        self.row().1
    }

    /// Most bytes of the payload.
    #[must_use]
    pub const fn limit(self) -> usize {
        self.row().2
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind with this type of one byte.
    #[must_use]
    pub fn of_short(short: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.short() == short)
    }

    /// The kind of a message, or the name of one that we don't know.
    ///
    /// # Errors
    /// If the message is [`Message::Unknown`]: its name.
    pub fn of(message: &Message) -> Result<Self, &str> {
        Ok(match message {
            Message::Version(_) => Self::Version,
            Message::Verack => Self::Verack,
            Message::WtxidRelay => Self::WtxidRelay,
            Message::SendAddrV2 => Self::SendAddrV2,
            Message::SendHeaders => Self::SendHeaders,
            Message::SendCompact(_) => Self::SendCompact,
            Message::FeeFilter(_) => Self::FeeFilter,
            Message::Ping(_) => Self::Ping,
            Message::Pong(_) => Self::Pong,
            Message::GetAddr => Self::GetAddr,
            Message::Addr(_) => Self::Addr,
            Message::AddrV2(_) => Self::AddrV2,
            Message::Inv(_) => Self::Inv,
            Message::GetData(_) => Self::GetData,
            Message::NotFound(_) => Self::NotFound,
            Message::GetHeaders(_) => Self::GetHeaders,
            Message::GetBlocks(_) => Self::GetBlocks,
            Message::Headers(_) => Self::Headers,
            Message::Transaction(_) => Self::Transaction,
            Message::Block(_) => Self::Block,
            Message::CompactBlock(_) => Self::CompactBlock,
            Message::GetBlockTransactions(_) => Self::GetBlockTransactions,
            Message::BlockTransactions(_) => Self::BlockTransactions,
            Message::Mempool => Self::Mempool,
            Message::GetCFilters(_) => Self::GetCFilters,
            Message::CFilter(_) => Self::CFilter,
            Message::GetCFHeaders(_) => Self::GetCFHeaders,
            Message::CFHeaders(_) => Self::CFHeaders,
            Message::GetCFCheckpoints(_) => Self::GetCFCheckpoints,
            Message::CFCheckpoints(_) => Self::CFCheckpoints,
            Message::Greeting(_) => Self::Greeting,
            Message::Goodbye(_) => Self::Goodbye,
            Message::PeerRecords(_) => Self::PeerRecords,
            Message::Irreversible(_) => Self::Irreversible,
            Message::Announce(_) => Self::Announce,
            Message::Request(_) => Self::Request,
            Message::Gone(_) => Self::Gone,
            Message::Push(_) => Self::Push,
            Message::PoolSummary(_) => Self::PoolSummary,
            Message::Unknown { command, .. } => return Err(command),
        })
    }
}

impl Message {
    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match Kind::of(self) {
            Ok(kind) => kind.name(),
            Err(unknown) => unknown,
        }
    }
}
