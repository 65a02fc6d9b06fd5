//! Inventory and locators.

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid, Wtxid};

use crate::message::{Inventory, Locate, MAX_INVENTORY, MAX_LOCATOR, PROTOCOL_VERSION};

use super::super::sink::Sink;
use super::Error;
use super::source::Source;

const TX: u32 = 1;
const BLOCK: u32 = 2;
const COMPACT_BLOCK: u32 = 4;
/// BIP-0339.
const WTX: u32 = 5;
/// BIP-0144.
const WITNESS: u32 = 1 << 30;
const WITNESS_TX: u32 = TX | WITNESS;
const WITNESS_BLOCK: u32 = BLOCK | WITNESS;

/// Bytes of an item.
const ITEM: usize = 36;

pub(super) fn read(source: &mut Source<'_>) -> Result<Vec<Inventory>, Error> {
    source.list(("items", MAX_INVENTORY), ITEM, |source| {
        let (kind, hash) = (source.u32()?, source.array()?);
        Ok(match kind {
            TX => Inventory::Tx(Txid::from_byte_array(hash)),
            WTX => Inventory::Wtx(Wtxid::from_byte_array(hash)),
            WITNESS_TX => Inventory::WitnessTx(Txid::from_byte_array(hash)),
            BLOCK => Inventory::Block(BlockHash::from_byte_array(hash)),
            WITNESS_BLOCK => Inventory::WitnessBlock(BlockHash::from_byte_array(hash)),
            COMPACT_BLOCK => Inventory::CompactBlock(BlockHash::from_byte_array(hash)),
            kind => Inventory::Unknown { kind, hash },
        })
    })
}

pub(super) fn write(item: &Inventory, sink: &mut impl Sink) {
    let (kind, hash) = match item {
        Inventory::Tx(txid) => (TX, txid.as_byte_array()),
        Inventory::Wtx(wtxid) => (WTX, wtxid.as_byte_array()),
        Inventory::WitnessTx(txid) => (WITNESS_TX, txid.as_byte_array()),
        Inventory::Block(hash) => (BLOCK, hash.as_byte_array()),
        Inventory::WitnessBlock(hash) => (WITNESS_BLOCK, hash.as_byte_array()),
        Inventory::CompactBlock(hash) => (COMPACT_BLOCK, hash.as_byte_array()),
        Inventory::Unknown { kind, hash } => (*kind, hash),
    };
    sink.put(&kind.to_le_bytes());
    sink.put(hash);
}

/// Reads a locator. The version before it says nothing: that of the connection holds.
pub(super) fn read_locate(source: &mut Source<'_>) -> Result<Locate, Error> {
    source.u32()?;
    let locator = source.list(("hashes", MAX_LOCATOR), 32, |source| source.array().map(BlockHash::from_byte_array))?;
    Ok(Locate { locator, stop: BlockHash::from_byte_array(source.array()?) })
}

pub(super) fn write_locate(locate: &Locate, sink: &mut impl Sink) {
    sink.put(&PROTOCOL_VERSION.to_le_bytes());
    sink.list(&locate.locator, |hash, sink| sink.put(hash.as_byte_array()));
    sink.put(locate.stop.as_byte_array());
}
