//! Messages that Bitcoin lacks (`docs/protocol.md`).

use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use crate::address::{Identity, MAX_MULTIADDR, Multiaddr};
use crate::message::{
    Announced, Features, Goodbye, Greeting, Irreversible, MAX_ENDPOINTS, MAX_GOODBYE_TEXT, MAX_INVENTORY,
    MAX_PEER_RECORDS, MAX_POOL_SUMS, PeerRecord, PoolSummary, Services,
};
use crate::penalty::Reason;

use super::super::sink::Sink;
use super::Error;
use super::source::{Source, printable};

/// Bits of a greeting's flags. Those that we don't know are passed over.
const PUSH: u8 = 1;
const IRREVERSIBLE: u8 = 1 << 1;

/// Bytes of an announced transaction.
const ANNOUNCED: usize = 8;

/// Bytes of a record at least: one without endpoints.
const MIN_RECORD: usize = 32 + 8 + 8 + 1 + 64;

pub(super) fn read_greeting(source: &mut Source<'_>) -> Result<Greeting, Error> {
    let features = Features(source.u64()?);
    let genesis = BlockHash::from_byte_array(source.array()?);
    let tip = BlockHash::from_byte_array(source.array()?);
    let work = source.array()?;
    let short_id_key = [source.u64()?, source.u64()?];
    let flags = source.u8()?;
    let irreversible = (flags & IRREVERSIBLE != 0).then(|| read_irreversible(source)).transpose()?;
    Ok(Greeting { features, genesis, tip, work, irreversible, short_id_key, push: flags & PUSH != 0 })
}

pub(super) fn write_greeting(greeting: &Greeting, sink: &mut impl Sink) {
    sink.put(&greeting.features.0.to_le_bytes());
    sink.put(greeting.genesis.as_byte_array());
    sink.put(greeting.tip.as_byte_array());
    sink.put(&greeting.work);
    greeting.short_id_key.iter().for_each(|half| sink.put(&half.to_le_bytes()));
    let push = if greeting.push { PUSH } else { 0 };
    let irreversible = if greeting.irreversible.is_some() { IRREVERSIBLE } else { 0 };
    sink.put(&[push | irreversible]);
    if let Some(block) = &greeting.irreversible {
        write_irreversible(block, sink);
    }
}

pub(super) fn read_goodbye(source: &mut Source<'_>) -> Result<Goodbye, Error> {
    let number = source.u8()?;
    let (count, limit) = (source.left(), MAX_GOODBYE_TEXT);
    if count > limit {
        return Err(Error::TooMany { name: source.name(), what: "bytes of text", count: count as u64, limit });
    }
    Ok(Goodbye { reason: Reason::of(number).ok_or(number), text: printable(source.take(count)?) })
}

pub(super) fn write_goodbye(goodbye: &Goodbye, sink: &mut impl Sink) {
    sink.put(&[goodbye.reason.map_or_else(|number| number, |reason| reason as u8)]);
    sink.put(goodbye.text.as_bytes());
}

pub(super) fn read_records(source: &mut Source<'_>) -> Result<Vec<Arc<PeerRecord>>, Error> {
    source.list(("records", MAX_PEER_RECORDS), MIN_RECORD, |source| read_record(source).map(Arc::new))
}

fn read_record(source: &mut Source<'_>) -> Result<PeerRecord, Error> {
    let identity = Identity(source.array()?);
    let (sequence, services) = (source.u64()?, Services(source.u64()?));
    let endpoints = source.list(("endpoints", MAX_ENDPOINTS), 2, |source| {
        let bytes = source.bytes("bytes of an endpoint", MAX_MULTIADDR)?;
        Multiaddr::new(bytes).ok_or(Error::EmptyEndpoint)
    })?;
    Ok(PeerRecord { identity, sequence, services, endpoints, signature: source.array()? })
}

/// Writes what is signed of a record.
fn write_unsigned(record: &PeerRecord, sink: &mut impl Sink) {
    sink.put(&record.identity.0);
    sink.put(&record.sequence.to_le_bytes());
    sink.put(&record.services.0.to_le_bytes());
    sink.list(&record.endpoints, |endpoint, sink| {
        sink.counted(endpoint.as_bytes());
    });
}

pub(super) fn write_record(record: &PeerRecord, sink: &mut impl Sink) {
    write_unsigned(record, sink);
    sink.put(&record.signature);
}

/// The bytes that a record's signature signs: `domain`, then the record up to its signature.
pub(crate) fn signed_bytes(record: &PeerRecord, domain: &[u8]) -> Vec<u8> {
    let mut bytes = domain.to_vec();
    write_unsigned(record, &mut bytes);
    bytes
}

pub(super) fn read_irreversible(source: &mut Source<'_>) -> Result<Irreversible, Error> {
    Ok(Irreversible { height: source.u32()?, hash: BlockHash::from_byte_array(source.array()?) })
}

pub(super) fn write_irreversible(block: &Irreversible, sink: &mut impl Sink) {
    sink.put(&block.height.to_le_bytes());
    sink.put(block.hash.as_byte_array());
}

/// Reads short ids, which fill the payload: their number follows from its size.
pub(super) fn read_announced(source: &mut Source<'_>) -> Result<Vec<Announced>, Error> {
    let (name, size) = (source.name(), source.left());
    let count = size.checked_div(ANNOUNCED).unwrap_or(0);
    if count > MAX_INVENTORY {
        return Err(Error::TooMany { name, what: "items", count: count as u64, limit: MAX_INVENTORY });
    }
    let (ids, odd) = source.take(size)?.as_chunks::<ANNOUNCED>();
    if !odd.is_empty() {
        return Err(Error::Uneven { name, size, item: ANNOUNCED });
    }
    Ok(ids.iter().map(|id| Announced(u64::from_le_bytes(*id))).collect())
}

/// Reads a count, then sums, which fill the payload.
pub(super) fn read_pool_summary(source: &mut Source<'_>) -> Result<PoolSummary, Error> {
    let (name, count) = (source.name(), source.u32()?);
    let size = source.left();
    let (sums, odd) = source.take(size)?.as_chunks::<8>();
    if sums.len() > MAX_POOL_SUMS {
        return Err(Error::TooMany { name, what: "sums", count: sums.len() as u64, limit: MAX_POOL_SUMS });
    }
    if !odd.is_empty() {
        return Err(Error::Uneven { name, size, item: 8 });
    }
    Ok(PoolSummary { count, sums: sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect() })
}

pub(super) fn write_pool_summary(summary: &PoolSummary, sink: &mut impl Sink) {
    sink.put(&summary.count.to_le_bytes());
    summary.sums.iter().for_each(|sum| sink.put(&sum.to_le_bytes()));
}
