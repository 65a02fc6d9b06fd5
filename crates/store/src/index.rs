//! What is known of a block, one record each.
//!
//! Records are kept under their sequence number, the order in which headers arrived: so new ones go to the end of the
//! table, parents are read before their children, and of two branches with the same work the first seen is known.
//! A record carries the hash too, so that a million of them load without hashing.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;

use crate::blocks::FilePosition;
use crate::bytes::Fields;
use crate::error::RowDamage;

/// A block as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Order of arrival; unique, and the key of the record.
    pub sequence: u32,
    /// Hash of the header.
    pub hash: BlockHash,
    /// The header.
    pub header: Header,
    /// Blocks before it on its branch.
    pub height: u32,
    /// What has been found out about it.
    pub status: Status,
    /// Number of transactions; 0 while the block is not known.
    pub transactions: u32,
    /// Bytes of the block; 0 while it is not known.
    pub size: u32,
    /// Where the block is, if it is stored.
    pub block: Option<FilePosition>,
    /// Where its undo data is, if it has been connected and is stored.
    pub undo: Option<FilePosition>,
}

impl Record {
    /// Notes that the block's file was deleted to save space.
    pub fn prune(&mut self) {
        self.block = None;
        self.undo = None;
        self.status = self.status.with(Status::PRUNED);
    }

    /// The row of the record but its key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(ROW);
        row.extend_from_slice(self.hash.as_byte_array());
        row.extend_from_slice(&serialize(&self.header));
        row.push(self.status.0);
        for field in [self.height, self.transactions, self.size] {
            row.extend_from_slice(&field.to_le_bytes());
        }
        for position in [self.block, self.undo] {
            let position = position.unwrap_or(NOWHERE);
            row.extend_from_slice(&position.file.to_le_bytes());
            row.extend_from_slice(&position.offset.to_le_bytes());
        }
        row
    }

    /// The record of a row.
    pub(crate) fn decode(key: &[u8], row: &[u8]) -> Result<Self, RowDamage> {
        let sequence = key.try_into().map(u32::from_be_bytes).map_err(|_| RowDamage::Length(key.len()))?;
        let mut fields = Fields::new(row);
        let hash = BlockHash::from_byte_array(fields.array()?);
        let header = deserialize(&fields.array::<80>()?).map_err(|_| RowDamage::Field)?;
        let status = Status(fields.u8()?);
        let (height, transactions, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let mut position = || {
            let position = FilePosition { file: fields.u32()?, offset: fields.u32()? };
            Ok((position != NOWHERE).then_some(position))
        };
        let (block, undo) = (position()?, position()?);
        fields.end()?;
        Ok(Self { sequence, hash, header, height, status, transactions, size, block, undo })
    }
}

/// Bytes of a row.
const ROW: usize = 32 + 80 + 1 + 3 * 4 + 2 * 8;

/// Stands for no position: no file is as long.
const NOWHERE: FilePosition = FilePosition { file: u32::MAX, offset: u32::MAX };

/// What has been found out about a block, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// The header holds to every rule.
    pub const HEADER_VALID: Self = Self(1);
    /// The transactions hold to every rule that needs no coins, and so do those of all ancestors.
    pub const BODY_VALID: Self = Self(1 << 1);
    /// Everything holds, with the scripts, and so it does for all ancestors.
    pub const SCRIPTS_VALID: Self = Self(1 << 2);
    /// The block breaks a rule.
    pub const FAILED: Self = Self(1 << 3);
    /// An ancestor breaks a rule.
    pub const FAILED_CHILD: Self = Self(1 << 4);
    /// The block was stored, and then deleted to save space.
    pub const PRUNED: Self = Self(1 << 5);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the bits of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it or an ancestor breaks a rule.
    #[must_use]
    pub const fn has_failed(self) -> bool {
        self.contains(Self::FAILED) || self.contains(Self::FAILED_CHILD)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::Network;
    use bitcoin::constants::genesis_block;

    use super::*;

    fn record() -> Record {
        let header = genesis_block(Network::Bitcoin).header;
        Record {
            sequence: 7,
            hash: header.block_hash(),
            header,
            height: 3,
            status: Status::HEADER_VALID.with(Status::SCRIPTS_VALID),
            transactions: 2,
            size: 285,
            block: Some(FilePosition { file: 1, offset: 8 }),
            undo: None,
        }
    }

    #[test]
    fn a_record_comes_back_whole() {
        for undo in [None, Some(FilePosition { file: 1, offset: 0 })] {
            let record = Record { undo, ..record() };
            let row = record.encode();
            assert_eq!(row.len(), ROW);
            assert_eq!(Record::decode(&7_u32.to_be_bytes(), &row).unwrap(), record);
        }
    }

    #[test]
    fn a_row_of_another_length_is_damaged() {
        let row = record().encode();
        for length in 0..ROW {
            assert!(matches!(Record::decode(&[0; 4], &row[..length]), Err(RowDamage::Length(l)) if l == length));
        }
        assert!(matches!(Record::decode(&[0; 4], &[row.as_slice(), &[0]].concat()), Err(RowDamage::Length(_))));
        assert!(matches!(Record::decode(&[0; 3], &row), Err(RowDamage::Length(3))));
    }

    #[test]
    fn a_pruned_record_has_no_data_and_says_why() {
        let mut record = record();
        record.prune();
        assert_eq!((record.block, record.undo), (None, None));
        assert!(record.status.contains(Status::PRUNED) && record.status.contains(Status::SCRIPTS_VALID));
        assert!(!record.status.has_failed());
    }
}
