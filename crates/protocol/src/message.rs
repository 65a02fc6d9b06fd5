//! Every message, as a type.
//!
//! Bitcoin's (protocol 70016: BIP-0031, 0035, 0130, 0133, 0152, 0155, 0157, 0339) and our own, which only peers that
//! negotiated them ever see (`docs/protocol.md`). Blocks and transactions are parsed and hashed once, when they are read,
//! and shared from then on.

use std::sync::Arc;

use bitcoin::block::Header;
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

mod compact;
mod extension;
mod filter;
mod inventory;
mod peers;
mod version;

pub use compact::{BlockTransactions, CompactBlock, GetBlockTransactions, Prefilled, SendCompact, ShortId};
pub use extension::{
    Announced, Features, Goodbye, Greeting, Irreversible, MAX_ENDPOINTS, MAX_GOODBYE_TEXT, MAX_PEER_RECORDS,
    MAX_POOL_SUMS, PeerRecord, PoolSummary, RecordError,
};
pub use filter::{CFCheckpoints, CFHeaders, CFilter, GetCFCheckpoints, GetCFRange};
pub use inventory::{Inventory, Locate, MAX_HEADERS, MAX_INVENTORY, MAX_LOCATOR};
pub use peers::{KnownAddress, MAX_ADDRESSES, NetworkId};
pub use version::{MAX_USER_AGENT, PROTOCOL_VERSION, Services, Version};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// `version`: the first message each way.
    Version(Box<Version>),
    /// `verack`: the version was taken; ends the handshake.
    Verack,
    /// `wtxidrelay` (BIP-0339), before `verack`: announce transactions by `wtxid`.
    WtxidRelay,
    /// `sendaddrv2` (BIP-0155), before `verack`: addresses may come as `addrv2`.
    SendAddrV2,
    /// `sendheaders` (BIP-0130): announce blocks by header.
    SendHeaders,
    /// `sendcmpct` (BIP-0152).
    SendCompact(SendCompact),
    /// `feefilter` (BIP-0133): don't announce what pays less; satoshis per thousand virtual bytes.
    FeeFilter(u64),
    /// `ping` (BIP-0031), with a nonce.
    Ping(u64),
    /// `pong`, with the nonce of the ping.
    Pong(u64),
    /// `getaddr`.
    GetAddr,
    /// `addr`.
    Addr(Vec<KnownAddress>),
    /// `addrv2` (BIP-0155).
    AddrV2(Vec<KnownAddress>),
    /// `inv`.
    Inv(Vec<Inventory>),
    /// `getdata`.
    GetData(Vec<Inventory>),
    /// `notfound`: what was asked for is not there.
    NotFound(Vec<Inventory>),
    /// `getheaders`.
    GetHeaders(Locate),
    /// `getblocks`.
    GetBlocks(Locate),
    /// `headers`.
    Headers(Vec<Header>),
    /// `tx`.
    Transaction(Arc<Transaction>),
    /// `block`.
    Block(Arc<Block>),
    /// `cmpctblock` (BIP-0152).
    CompactBlock(Arc<CompactBlock>),
    /// `getblocktxn` (BIP-0152).
    GetBlockTransactions(GetBlockTransactions),
    /// `blocktxn` (BIP-0152).
    BlockTransactions(BlockTransactions),
    /// `mempool` (BIP-0035): announce everything that is pending.
    Mempool,
    /// `getcfilters` (BIP-0157).
    GetCFilters(GetCFRange),
    /// `cfilter` (BIP-0157).
    CFilter(CFilter),
    /// `getcfheaders` (BIP-0157).
    GetCFHeaders(GetCFRange),
    /// `cfheaders` (BIP-0157).
    CFHeaders(CFHeaders),
    /// `getcfcheckpt` (BIP-0157).
    GetCFCheckpoints(GetCFCheckpoints),
    /// `cfcheckpt` (BIP-0157).
    CFCheckpoints(CFCheckpoints),
    /// `yapgreeting`, before `verack`: which of our extensions the sender knows, and what they need. Whoever does not
    /// know the message passes over it.
    Greeting(Greeting),
    /// `yapgoodbye`: why the sender closes the connection.
    Goodbye(Goodbye),
    /// `yaprecord`: what peers say of themselves, signed.
    PeerRecords(Vec<Arc<PeerRecord>>),
    /// `yapfinal`: a block that the sender will never take back.
    Irreversible(Irreversible),
    /// `yaptxinv`: transactions that the sender has, by the receiver's short ids.
    Announce(Vec<Announced>),
    /// `yapgettx`: transactions to be sent, by the ids they were announced with.
    Request(Vec<Announced>),
    /// `yapnotx`: of those asked for by [`Request`](Self::Request), these are not there any more.
    Gone(Vec<Announced>),
    /// `yappush`: whether small transactions go over this link at once, both ways, or are announced first (one byte, 0
    /// or 1).
    Push(bool),
    /// `yappool`: what the sender's mempool adds up to, so that peers who have the same need not tell each other.
    PoolSummary(PoolSummary),
    /// A message that we don't know, passed over. The name is at most 12 bytes of ASCII.
    Unknown {
        /// The message's name.
        command: Box<str>,
        /// Bytes of its payload.
        size: u32,
    },
}
