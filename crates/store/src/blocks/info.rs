//! What is in one pair of block and undo files.

use super::Kind;
use crate::bytes::Fields;
use crate::error::RowDamage;

/// What is in one pair of block and undo files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    /// Number of blocks.
    pub(crate) blocks: u32,
    /// Bytes of the block file that are filled.
    pub(crate) blocks_size: u32,
    /// Bytes of the undo file that are filled.
    pub(crate) undo_size: u32,
    /// Least height of a block.
    pub(crate) lowest: u32,
    /// Greatest height of a block.
    pub(crate) highest: u32,
}

impl Info {
    /// Counts a block that takes `bytes` with its frame.
    pub(super) fn add(&mut self, height: u32, bytes: u32) {
        self.lowest = if self.blocks == 0 { height } else { self.lowest.min(height) };
        self.highest = self.highest.max(height);
        self.blocks = self.blocks.saturating_add(1);
        self.blocks_size = self.blocks_size.saturating_add(bytes);
    }

    pub(super) fn size(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Block => self.blocks_size,
            Kind::Undo => self.undo_size,
        }
    }

    /// Bytes of both files.
    pub(super) fn total(&self) -> u64 {
        u64::from(self.blocks_size).saturating_add(u64::from(self.undo_size))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let fields = [self.blocks, self.blocks_size, self.undo_size, self.lowest, self.highest];
        fields.iter().flat_map(|field| field.to_le_bytes()).collect()
    }

    /// The number of the file that a row is named by.
    pub(crate) fn decode_number(name: &[u8]) -> Result<u32, RowDamage> {
        name.try_into().map(u32::from_be_bytes).map_err(|_| RowDamage::Length(name.len()))
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, RowDamage> {
        let mut fields = Fields::new(row);
        let info = Self {
            blocks: fields.u32()?,
            blocks_size: fields.u32()?,
            undo_size: fields.u32()?,
            lowest: fields.u32()?,
            highest: fields.u32()?,
        };
        fields.end()?;
        Ok(info)
    }
}
