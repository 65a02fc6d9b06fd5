//! Fixed-size fields of rows, least significant byte first.

use crate::error::RowDamage;

/// Takes fields off the front of a row.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(row: &'a [u8]) -> Self {
        Self { rest: row, length: row.len() }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RowDamage> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(RowDamage::Length(self.length))?;
        self.rest = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RowDamage> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RowDamage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RowDamage> {
        self.array().map(u64::from_le_bytes)
    }

    /// The bytes that are left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), RowDamage> {
        if self.rest.is_empty() { Ok(()) } else { Err(RowDamage::Length(self.length)) }
    }
}
