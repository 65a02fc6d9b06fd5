//! One record that is about to be read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use bitcoin::BlockHash;
use yap_chain::undo::{self, Undo};

use super::{CHECKSUM, FRAME, MAX_UNDO, checksum};
use crate::error::{Damage, Error};
use crate::framing;

/// One record that is about to be read: an open file, so that deleting the file meanwhile does no harm.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) magic: [u8; 4],
    /// Where the record starts, behind its frame.
    pub(super) offset: u64,
    /// How far the file is filled.
    pub(super) end: u64,
}

impl Place {
    /// Reads the block.
    pub(crate) fn read_block(self) -> Result<Vec<u8>, Error> {
        self.read(u32::try_from(framing::MAX_RECORD).unwrap_or(u32::MAX), 0)
    }

    /// Reads undo data of a block that follows `parent`.
    pub(crate) fn read_undo(self, parent: BlockHash) -> Result<Undo, Error> {
        let (path, offset) = (self.path.clone(), self.offset);
        let damaged = |why| Error::Damaged { path, offset, why };
        let bytes = self.read(MAX_UNDO, CHECKSUM)?;
        let (undo, tail) = bytes.split_at(bytes.len().saturating_sub(CHECKSUM));
        if checksum(parent, undo) != tail {
            return Err(damaged(Damage::Checksum));
        }
        undo::codec::decode(undo).map_err(|error| damaged(Damage::Undo(error)))
    }

    /// Reads the record of up to `longest` bytes, with `tail` bytes behind it.
    fn read(mut self, longest: u32, tail: usize) -> Result<Vec<u8>, Error> {
        let (path, offset) = (std::mem::take(&mut self.path), self.offset);
        let damaged = |why| Error::Damaged { path: path.clone(), offset, why };
        let failed = |error: io::Error| {
            let missing = error.kind() == io::ErrorKind::UnexpectedEof;
            if missing { damaged(Damage::Missing) } else { Error::io(&path)(error) }
        };
        let start = offset.checked_sub(u64::from(FRAME)).ok_or_else(|| damaged(Damage::Magic))?;
        self.file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let (mut magic, mut length) = ([0; 4], [0; 4]);
        self.file.read_exact(&mut magic).map_err(failed)?;
        self.file.read_exact(&mut length).map_err(failed)?;
        if magic != self.magic {
            return Err(damaged(Damage::Magic));
        }
        let length = u32::from_le_bytes(length);
        let whole = usize::try_from(length).ok().and_then(|length| length.checked_add(tail));
        let whole = whole.filter(|_| length <= longest).ok_or_else(|| damaged(Damage::Length(length)))?;
        let wanted = u64::try_from(whole).unwrap_or(u64::MAX);
        if offset.saturating_add(wanted) > self.end {
            return Err(damaged(Damage::Length(length)));
        }
        let mut bytes = Vec::with_capacity(whole);
        self.file.take(wanted).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() < whole { Err(damaged(Damage::Missing)) } else { Ok(bytes) }
    }
}
