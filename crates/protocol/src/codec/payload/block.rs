//! Headers, blocks, and compact blocks (BIP-0152).

use std::sync::Arc;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};
use yap_chain::block::{Block, HEADER_SIZE};
use yap_chain::transaction::Transaction;

use crate::message::{
    BlockTransactions, CompactBlock, GetBlockTransactions, MAX_HEADERS, Prefilled, SendCompact, ShortId,
};

use super::super::sink::Sink;
use super::Error;
use super::source::Source;

/// Most transactions of a block that is read, as many as BIP-0152 can speak of: its places have 16 bits. No block of 4,000,000 weight units
/// has as many, since each transaction weighs 240 at least.
pub const MAX_BLOCK_TRANSACTIONS: usize = 1 << 16;

/// The last place in a block.
const LAST_PLACE: usize = u16::MAX as usize;

/// Bytes of a header and the count of its transactions, as in `headers`.
const COUNTED_HEADER: usize = 81;

/// Bytes of the smallest transaction that can be read: one of nothing.
const MIN_TRANSACTION: usize = 10;

fn read_header(source: &mut Source<'_>) -> Result<Header, Error> {
    Ok(Header {
        version: Version::from_consensus(i32::from_le_bytes(source.array()?)),
        prev_blockhash: BlockHash::from_byte_array(source.array()?),
        merkle_root: TxMerkleNode::from_byte_array(source.array()?),
        time: source.u32()?,
        bits: CompactTarget::from_consensus(source.u32()?),
        nonce: source.u32()?,
    })
}

fn write_header(header: &Header, sink: &mut impl Sink) {
    sink.put(&header.version.to_consensus().to_le_bytes());
    sink.put(header.prev_blockhash.as_byte_array());
    sink.put(header.merkle_root.as_byte_array());
    sink.put(&header.time.to_le_bytes());
    sink.put(&header.bits.to_consensus().to_le_bytes());
    sink.put(&header.nonce.to_le_bytes());
}

/// Reads headers. Each is followed by a count of transactions, which is zero and not heeded, as in Bitcoin Core.
pub(super) fn read_headers(source: &mut Source<'_>) -> Result<Vec<Header>, Error> {
    source.list(("headers", MAX_HEADERS), COUNTED_HEADER, |source| {
        let header = read_header(source)?;
        source.compact()?;
        Ok(header)
    })
}

pub(super) fn write_headers(headers: &[Header], sink: &mut impl Sink) {
    sink.list(headers, |header, sink| {
        write_header(header, sink);
        sink.compact(0);
    });
}

/// Takes a block, whose transactions are read where it is verified: what comes from a stream is not held up by what it
/// takes to parse and hash them. Transactions of nothing take ten bytes here and some two hundred in memory, so that a
/// block with more than can be valid is refused before they are read.
pub(super) fn read(bytes: Vec<u8>) -> Result<Block, Error> {
    let mut source = Source::new("block", &bytes);
    source.take(HEADER_SIZE)?;
    source.count("transactions", MAX_BLOCK_TRANSACTIONS)?;
    Block::unread(bytes).map_err(|error| Error::Block { offset: error.offset })
}

pub(super) fn read_send_compact(source: &mut Source<'_>) -> Result<SendCompact, Error> {
    Ok(SendCompact { high_bandwidth: source.u8()? != 0, version: source.u64()? })
}

pub(super) fn write_send_compact(compact: &SendCompact, sink: &mut impl Sink) {
    sink.put(&[compact.high_bandwidth.into()]);
    sink.put(&compact.version.to_le_bytes());
}

/// Places in a block, which are written as differences: each counts from the one after the last (BIP-0152).
struct Places {
    name: &'static str,
    next: u64,
}

impl Places {
    /// The place that this difference leads to, at most `last`.
    fn read(&mut self, source: &mut Source<'_>, last: usize) -> Result<u16, Error> {
        // Two differences near 2^64 must not lead back to a place that was there before.
        let place = self.next.saturating_add(source.compact()?);
        self.next = place.saturating_add(1);
        let beyond = Error::Place { name: self.name, place, last };
        u16::try_from(place).ok().filter(|&place| usize::from(place) <= last).ok_or(beyond)
    }
}

/// Writes a place as its difference; `next` is the one after the last.
fn write_place(place: u16, next: &mut u64, sink: &mut impl Sink) {
    sink.compact(u64::from(place).saturating_sub(*next));
    *next = u64::from(place).saturating_add(1);
}

/// Reads a transaction. It keeps a copy of its bytes, not the whole payload.
fn read_transaction(source: &mut Source<'_>) -> Result<Arc<Transaction>, Error> {
    let (name, offset) = (source.name(), source.offset());
    Transaction::read(source.rest()).map(Arc::new).map_err(|_| Error::Transaction { name, offset })
}

/// Reads a compact block whose places all lie in it.
pub(super) fn read_compact(source: &mut Source<'_>) -> Result<CompactBlock, Error> {
    let header = read_header(source)?;
    let nonce = source.u64()?;
    let short_ids = source.list(("short ids", LAST_PLACE), 6, |source| source.array().map(ShortId))?;
    let room = LAST_PLACE.saturating_sub(short_ids.len());
    let mut places = Places { name: source.name(), next: 0 };
    // A place beyond the short ids and the prefilled transactions so far leaves one before it that nothing fills.
    let mut last = short_ids.len();
    let prefilled = source.list(("prefilled transactions", room), MIN_TRANSACTION + 1, |source| {
        let index = places.read(source, last)?;
        last = last.saturating_add(1);
        Ok(Prefilled { index, transaction: read_transaction(source)? })
    })?;
    Ok(CompactBlock { header, nonce, short_ids, prefilled })
}

pub(super) fn write_compact(block: &CompactBlock, sink: &mut impl Sink) {
    write_header(&block.header, sink);
    sink.put(&block.nonce.to_le_bytes());
    sink.list(&block.short_ids, |id, sink| sink.put(&id.0));
    let mut next = 0;
    sink.list(&block.prefilled, |prefilled, sink| {
        write_place(prefilled.index, &mut next, sink);
        sink.put(prefilled.transaction.raw().as_slice());
    });
}

pub(super) fn read_request(source: &mut Source<'_>) -> Result<GetBlockTransactions, Error> {
    let block = BlockHash::from_byte_array(source.array()?);
    let mut places = Places { name: source.name(), next: 0 };
    let indexes = source.list(("places", MAX_BLOCK_TRANSACTIONS), 1, |source| places.read(source, LAST_PLACE))?;
    Ok(GetBlockTransactions { block, indexes })
}

pub(super) fn write_request(request: &GetBlockTransactions, sink: &mut impl Sink) {
    sink.put(request.block.as_byte_array());
    let mut next = 0;
    sink.list(&request.indexes, |&index, sink| write_place(index, &mut next, sink));
}

pub(super) fn read_transactions(source: &mut Source<'_>) -> Result<BlockTransactions, Error> {
    let block = BlockHash::from_byte_array(source.array()?);
    let limit = ("transactions", MAX_BLOCK_TRANSACTIONS);
    let transactions = source.list(limit, MIN_TRANSACTION, read_transaction)?;
    Ok(BlockTransactions { block, transactions })
}

pub(super) fn write_transactions(answer: &BlockTransactions, sink: &mut impl Sink) {
    sink.put(answer.block.as_byte_array());
    sink.list(&answer.transactions, |transaction, sink| sink.put(transaction.raw().as_slice()));
}
