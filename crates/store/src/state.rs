//! The rows that say what a store is and where it stands: schema, chain and tip.
//!
//! A store of an older schema is brought up to date when it is opened, one [`Migration`] after the other, each in one
//! atomic write together with the schema it leads to.

use std::path::Path;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use crate::bytes::Fields;
use crate::database::{Database, Rows, Snapshot, Table};
use crate::error::{Error, RowDamage};

/// Brings the rows of one schema to the next: gives the rows to write.
pub(crate) type Migration = fn(&Database) -> Result<Rows, Error>;

/// The migrations from schema 1 on; the current schema is one more than there are.
pub(crate) const MIGRATIONS: &[Migration] = &[];

pub(crate) const SCHEMA: &[u8] = b"schema";
pub(crate) const CHAIN: &[u8] = b"chain";
pub(crate) const TIP: &[u8] = b"tip";

/// The block that the UTXO set stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: BlockHash,
    /// Blocks before it.
    pub height: u32,
}

/// Which chain a store is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain<'a> {
    pub(crate) name: &'a str,
    pub(crate) magic: [u8; 4],
    pub(crate) genesis: BlockHash,
}

/// What a commit leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) tip: Tip,
    /// Number of coins in the set.
    pub(crate) coins: u64,
}

impl Committed {
    pub(crate) fn row(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut row = self.tip.hash.to_byte_array().to_vec();
        row.extend_from_slice(&self.tip.height.to_le_bytes());
        row.extend_from_slice(&self.coins.to_le_bytes());
        (Table::State.key(TIP), Some(row))
    }

    /// The last commit; `None` if there was none yet.
    pub(crate) fn read(snapshot: &Snapshot<'_>) -> Result<Option<Self>, Error> {
        let key = Table::State.key(TIP);
        let Some(row) = snapshot.get(&key)? else { return Ok(None) };
        Self::decode(&row).map(Some).map_err(damaged(&key))
    }

    /// What a row says of the last commit.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, RowDamage> {
        let mut fields = Fields::new(row);
        let hash = BlockHash::from_byte_array(fields.array()?);
        let committed = Self { tip: Tip { hash, height: fields.u32()? }, coins: fields.u64()? };
        fields.end()?;
        Ok(committed)
    }
}

/// Prepares the tables in `directory` for `chain`: makes the first rows, or checks and migrates those that are there.
pub(crate) fn prepare(
    database: &Database,
    directory: &Path,
    chain: &Chain<'_>,
    migrations: &[Migration],
) -> Result<(), Error> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX).saturating_add(1);
    let Some(mut schema) = schema(database)? else {
        return database.write(vec![schema_row(known), chain_row(chain)]);
    };
    if schema > known {
        return Err(Error::Newer { directory: directory.to_path_buf(), found: schema, known });
    }
    check_chain(database, directory, chain)?;
    while let Some(migration) = migrations.get(usize::try_from(schema.saturating_sub(1)).unwrap_or(usize::MAX)) {
        schema = schema.saturating_add(1);
        let mut rows = migration(database)?;
        rows.push(schema_row(schema));
        database.write(rows)?;
        tracing::info!(schema, "migrated the tables");
    }
    Ok(())
}

/// Whether nothing was ever written to the tables.
pub(crate) fn is_new(database: &Database) -> Result<bool, Error> {
    schema(database).map(|schema| schema.is_none())
}

fn schema(database: &Database) -> Result<Option<u32>, Error> {
    let key = Table::State.key(SCHEMA);
    let Some(row) = database.get(&key)? else { return Ok(None) };
    decode_schema(&row).map(Some).map_err(damaged(&key))
}

/// The schema of a row.
pub(crate) fn decode_schema(row: &[u8]) -> Result<u32, RowDamage> {
    let mut fields = Fields::new(row);
    let schema = fields.u32()?;
    fields.end()?;
    if schema == 0 { Err(RowDamage::Field) } else { Ok(schema) }
}

pub(crate) fn schema_row(schema: u32) -> (Vec<u8>, Option<Vec<u8>>) {
    (Table::State.key(SCHEMA), Some(schema.to_le_bytes().to_vec()))
}

fn chain_row(chain: &Chain<'_>) -> (Vec<u8>, Option<Vec<u8>>) {
    let row = [&chain.magic, chain.genesis.as_byte_array().as_slice(), chain.name.as_bytes()].concat();
    (Table::State.key(CHAIN), Some(row))
}

/// The magic, genesis block and name of a chain's row. The name may be any bytes.
pub(crate) fn decode_chain(row: &[u8]) -> Result<([u8; 4], BlockHash, &[u8]), RowDamage> {
    let mut fields = Fields::new(row);
    let (magic, genesis) = (fields.array()?, BlockHash::from_byte_array(fields.array()?));
    Ok((magic, genesis, fields.rest()))
}

/// That the tables belong to this chain. Its name is for messages only and may change.
fn check_chain(database: &Database, directory: &Path, chain: &Chain<'_>) -> Result<(), Error> {
    let key = Table::State.key(CHAIN);
    let row = database.get(&key)?.ok_or(RowDamage::Missing).map_err(damaged(&key))?;
    let (magic, genesis, name) = decode_chain(&row).map_err(damaged(&key))?;
    if (magic, genesis) == (chain.magic, chain.genesis) {
        return Ok(());
    }
    let found = String::from_utf8_lossy(name).into_owned();
    let directory = directory.to_path_buf();
    Err(Error::OtherChain { directory, found, genesis, wanted: chain.name.to_owned() })
}

fn damaged(key: &[u8]) -> impl FnOnce(RowDamage) -> Error {
    |why| Error::DamagedRow { table: Table::State.name(), key: key.to_vec(), why }
}

#[cfg(test)]
mod tests;
