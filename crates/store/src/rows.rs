//! Rows of the tables, one at a time, without a store around them: for tests that feed damaged rows to the decoders.
//!
//! They are the decoders that a store uses. A row is what the crate's documentation draws: the first byte of its key
//! tells the table.

use bitcoin::hashes::Hash;
use yap_chain::coin::codec;

use crate::blocks::Info;
use crate::database::Table;
use crate::error::RowDamage;
use crate::index::Record;
use crate::reader::{decode_coin, decode_filter_header, decode_outpoint};
use crate::state::{CHAIN, Committed, SCHEMA, TIP, decode_chain, decode_schema, schema_row};

const TABLES: [Table; 7] =
    [Table::Coins, Table::Filters, Table::FilterHeaders, Table::Index, Table::Files, Table::Meta, Table::State];

/// The key and the row that a store writes for what it reads in this row.
///
/// Filters and what callers keep are bytes that no store looks into, so they come back from any bytes.
///
/// # Errors
/// What is wrong with the row; [`RowDamage::Field`] if no table has such a key.
pub fn rewritten(key: &[u8], row: &[u8]) -> Result<(Vec<u8>, Vec<u8>), RowDamage> {
    let (&table, name) = key.split_first().ok_or(RowDamage::Length(0))?;
    let table = TABLES.into_iter().find(|known| known.byte() == table).ok_or(RowDamage::Field)?;
    Ok(match table {
        Table::Coins => {
            let mut bytes = Vec::new();
            codec::encode(&decode_coin(row)?, &mut bytes);
            (table.key(&codec::key(&decode_outpoint(name)?)), bytes)
        }
        Table::FilterHeaders => (key.to_vec(), decode_filter_header(row)?.to_byte_array().to_vec()),
        Table::Index => {
            let record = Record::decode(name, row)?;
            (table.key(&record.sequence.to_be_bytes()), record.encode())
        }
        Table::Files => (table.key(&Info::decode_number(name)?.to_be_bytes()), Info::decode(row)?.encode()),
        Table::Filters | Table::Meta => (key.to_vec(), row.to_vec()),
        Table::State => state(name, row)?,
    })
}

fn state(name: &[u8], row: &[u8]) -> Result<(Vec<u8>, Vec<u8>), RowDamage> {
    let (key, row) = match name {
        SCHEMA => schema_row(decode_schema(row)?),
        TIP => Committed::decode(row)?.row(),
        CHAIN => {
            let (magic, genesis, chain) = decode_chain(row)?;
            (Table::State.key(CHAIN), Some([&magic, genesis.as_byte_array().as_slice(), chain].concat()))
        }
        _ => return Err(RowDamage::Field),
    };
    Ok((key, row.unwrap_or_default()))
}
