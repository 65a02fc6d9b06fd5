//! Payloads: the same on both carriers.

mod address;
mod block;
mod extension;
mod filter;
mod inventory;
mod source;
mod version;

use std::sync::Arc;

use yap_chain::transaction::Transaction;

use crate::message::Message;

use super::sink::Sink;
use super::{Error, Kind, MAX_PAYLOAD};

use source::Source;

pub(super) use address::MAX_ADDRESS_SIZE;
pub use block::MAX_BLOCK_TRANSACTIONS;
pub(crate) use extension::signed_bytes;
pub use filter::{MAX_CHECKPOINTS, MAX_FILTER, MAX_FILTER_HASHES};

/// Reads a payload that has all its bytes.
pub(super) fn read(kind: Kind, bytes: Vec<u8>) -> Result<Message, Error> {
    let source = &mut Source::new(kind.name(), &bytes);
    Ok(match kind {
        Kind::Version => Message::Version(Box::new(version::read(source)?)),
        Kind::Verack => Message::Verack,
        Kind::WtxidRelay => Message::WtxidRelay,
        Kind::SendAddrV2 => Message::SendAddrV2,
        Kind::SendHeaders => Message::SendHeaders,
        Kind::SendCompact => Message::SendCompact(block::read_send_compact(source)?),
        Kind::FeeFilter => Message::FeeFilter(source.u64()?),
        Kind::Ping => Message::Ping(source.u64()?),
        Kind::Pong => Message::Pong(source.u64()?),
        Kind::GetAddr => Message::GetAddr,
        Kind::Addr => Message::Addr(address::read_v1_list(source)?),
        Kind::AddrV2 => Message::AddrV2(address::read_v2_list(source)?),
        Kind::Inv => Message::Inv(inventory::read(source)?),
        Kind::GetData => Message::GetData(inventory::read(source)?),
        Kind::NotFound => Message::NotFound(inventory::read(source)?),
        Kind::GetHeaders => Message::GetHeaders(inventory::read_locate(source)?),
        Kind::GetBlocks => Message::GetBlocks(inventory::read_locate(source)?),
        Kind::Headers => Message::Headers(block::read_headers(source)?),
        Kind::Transaction => {
            let name = kind.name();
            let transaction = Transaction::parse(bytes).map_err(|_| Error::Transaction { name, offset: 0 })?;
            Message::Transaction(Arc::new(transaction))
        }
        Kind::Block => Message::Block(Arc::new(block::read(bytes)?)),
        Kind::CompactBlock => Message::CompactBlock(Arc::new(block::read_compact(source)?)),
        Kind::GetBlockTransactions => Message::GetBlockTransactions(block::read_request(source)?),
        Kind::BlockTransactions => Message::BlockTransactions(block::read_transactions(source)?),
        Kind::Mempool => Message::Mempool,
        Kind::GetCFilters => Message::GetCFilters(filter::read_range(source)?),
        Kind::CFilter => Message::CFilter(filter::read_filter(source)?),
        Kind::GetCFHeaders => Message::GetCFHeaders(filter::read_range(source)?),
        Kind::CFHeaders => Message::CFHeaders(filter::read_headers(source)?),
        Kind::GetCFCheckpoints => Message::GetCFCheckpoints(filter::read_get_checkpoints(source)?),
        Kind::CFCheckpoints => Message::CFCheckpoints(filter::read_checkpoints(source)?),
        Kind::Greeting => Message::Greeting(extension::read_greeting(source)?),
        Kind::Goodbye => Message::Goodbye(extension::read_goodbye(source)?),
        Kind::PeerRecords => Message::PeerRecords(extension::read_records(source)?),
        Kind::Irreversible => Message::Irreversible(extension::read_irreversible(source)?),
        Kind::Announce => Message::Announce(extension::read_announced(source)?),
        Kind::Request => Message::Request(extension::read_announced(source)?),
        Kind::Gone => Message::Gone(extension::read_announced(source)?),
        Kind::Push => Message::Push(source.u8()? != 0),
        Kind::PoolSummary => Message::PoolSummary(extension::read_pool_summary(source)?),
    })
}

/// Writes a message's payload.
pub(super) fn write(message: &Message, sink: &mut impl Sink) {
    match message {
        Message::Verack
        | Message::WtxidRelay
        | Message::SendAddrV2
        | Message::SendHeaders
        | Message::GetAddr
        | Message::Mempool => {}
        Message::Version(version) => version::write(version, sink),
        Message::SendCompact(compact) => block::write_send_compact(compact, sink),
        Message::FeeFilter(number) | Message::Ping(number) | Message::Pong(number) => sink.put(&number.to_le_bytes()),
        Message::Addr(addresses) => sink.list(addresses, address::write_v1_timed),
        Message::AddrV2(addresses) => sink.list(addresses, address::write_v2),
        Message::Inv(items) | Message::GetData(items) | Message::NotFound(items) => {
            sink.list(items, inventory::write);
        }
        Message::GetHeaders(locate) | Message::GetBlocks(locate) => inventory::write_locate(locate, sink),
        Message::Headers(headers) => block::write_headers(headers, sink),
        Message::Transaction(transaction) => sink.put(transaction.raw().as_slice()),
        Message::Block(block) => sink.put(block.bytes()),
        Message::CompactBlock(block) => block::write_compact(block, sink),
        Message::GetBlockTransactions(request) => block::write_request(request, sink),
        Message::BlockTransactions(answer) => block::write_transactions(answer, sink),
        Message::GetCFilters(range) | Message::GetCFHeaders(range) => filter::write_range(range, sink),
        Message::CFilter(filter) => filter::write_filter(filter, sink),
        Message::CFHeaders(headers) => filter::write_headers(headers, sink),
        Message::GetCFCheckpoints(ask) => filter::write_get_checkpoints(ask, sink),
        Message::CFCheckpoints(checkpoints) => filter::write_checkpoints(checkpoints, sink),
        Message::Greeting(greeting) => extension::write_greeting(greeting, sink),
        Message::Goodbye(goodbye) => extension::write_goodbye(goodbye, sink),
        Message::PeerRecords(records) => sink.list(records, |record, sink| extension::write_record(record, sink)),
        Message::Irreversible(block) => extension::write_irreversible(block, sink),
        Message::Announce(items) | Message::Request(items) | Message::Gone(items) => {
            items.iter().for_each(|item| sink.put(&item.0.to_le_bytes()));
        }
        Message::Push(push) => sink.put(&[u8::from(*push)]),
        Message::PoolSummary(summary) => extension::write_pool_summary(summary, sink),
        Message::Unknown { size, .. } => sink.zeros(usize::try_from(*size).unwrap_or(MAX_PAYLOAD).min(MAX_PAYLOAD)),
    }
}
