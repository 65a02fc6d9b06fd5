//! Compact filters (BIP-0157).

use bitcoin::BlockHash;
use bitcoin::bip158::{FilterHash, FilterHeader};
use bitcoin::hashes::Hash;

use crate::message::{CFCheckpoints, CFHeaders, CFilter, GetCFCheckpoints, GetCFRange};

use super::super::sink::Sink;
use super::Error;
use super::source::Source;

/// Most bytes of a filter. The largest of a valid block is some 300,000: a block pays or spends about 111,000 scripts at
/// most, and none takes more than 21.5 bits on average, whatever its hash.
pub const MAX_FILTER: usize = 1 << 20;

/// Most hashes of one `cfheaders` (BIP-0157).
pub const MAX_FILTER_HASHES: usize = 2000;

/// Most filter headers of one `cfcheckpt`, one for each thousand blocks: enough for 30 years of a block each ten seconds.
pub const MAX_CHECKPOINTS: usize = 100_000;

pub(super) fn read_range(source: &mut Source<'_>) -> Result<GetCFRange, Error> {
    Ok(GetCFRange { kind: source.u8()?, start: source.u32()?, stop: BlockHash::from_byte_array(source.array()?) })
}

pub(super) fn write_range(range: &GetCFRange, sink: &mut impl Sink) {
    sink.put(&[range.kind]);
    sink.put(&range.start.to_le_bytes());
    sink.put(range.stop.as_byte_array());
}

pub(super) fn read_filter(source: &mut Source<'_>) -> Result<CFilter, Error> {
    let (kind, block) = (source.u8()?, BlockHash::from_byte_array(source.array()?));
    Ok(CFilter { kind, block, filter: source.bytes("bytes of filter", MAX_FILTER)?.to_vec() })
}

pub(super) fn write_filter(filter: &CFilter, sink: &mut impl Sink) {
    sink.put(&[filter.kind]);
    sink.put(filter.block.as_byte_array());
    sink.counted(&filter.filter);
}

pub(super) fn read_headers(source: &mut Source<'_>) -> Result<CFHeaders, Error> {
    let (kind, stop) = (source.u8()?, BlockHash::from_byte_array(source.array()?));
    let previous = FilterHeader::from_byte_array(source.array()?);
    let limit = ("filter hashes", MAX_FILTER_HASHES);
    let hashes = source.list(limit, 32, |source| source.array().map(FilterHash::from_byte_array))?;
    Ok(CFHeaders { kind, stop, previous, hashes })
}

pub(super) fn write_headers(headers: &CFHeaders, sink: &mut impl Sink) {
    sink.put(&[headers.kind]);
    sink.put(headers.stop.as_byte_array());
    sink.put(headers.previous.as_byte_array());
    sink.list(&headers.hashes, |hash, sink| sink.put(hash.as_byte_array()));
}

pub(super) fn read_get_checkpoints(source: &mut Source<'_>) -> Result<GetCFCheckpoints, Error> {
    Ok(GetCFCheckpoints { kind: source.u8()?, stop: BlockHash::from_byte_array(source.array()?) })
}

pub(super) fn write_get_checkpoints(ask: &GetCFCheckpoints, sink: &mut impl Sink) {
    sink.put(&[ask.kind]);
    sink.put(ask.stop.as_byte_array());
}

pub(super) fn read_checkpoints(source: &mut Source<'_>) -> Result<CFCheckpoints, Error> {
    let (kind, stop) = (source.u8()?, BlockHash::from_byte_array(source.array()?));
    let limit = ("filter headers", MAX_CHECKPOINTS);
    let headers = source.list(limit, 32, |source| source.array().map(FilterHeader::from_byte_array))?;
    Ok(CFCheckpoints { kind, stop, headers })
}

pub(super) fn write_checkpoints(checkpoints: &CFCheckpoints, sink: &mut impl Sink) {
    sink.put(&[checkpoints.kind]);
    sink.put(checkpoints.stop.as_byte_array());
    sink.list(&checkpoints.headers, |header, sink| sink.put(header.as_byte_array()));
}
