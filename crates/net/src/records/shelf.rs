//! Where rows are: in files, or without a directory in memory.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use super::log::{self, FRAME, Log};
use super::row::Row;

/// Where a row is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Here.
    Memory(Arc<[u8]>),
    /// In a file.
    Disk(log::Place),
}

/// The rows.
#[derive(Debug)]
pub(super) struct Shelf {
    log: Option<Log>,
}

impl Shelf {
    pub(super) const fn new(log: Option<Log>) -> Self {
        Self { log }
    }

    /// Writes a row. Says where it is, and how many bytes it takes.
    pub(super) fn write(&mut self, row: &Row) -> io::Result<(Place, u64)> {
        let bytes = row.encode();
        let size = size(&bytes);
        let place = match &mut self.log {
            Some(log) => Place::Disk(log.append(&bytes)?),
            None => Place::Memory(bytes.into()),
        };
        Ok((place, size))
    }

    /// The row at a place; an error of kind `InvalidData` if it is damaged.
    pub(super) fn read(&self, place: &Place) -> io::Result<Row> {
        let bytes = match (place, &self.log) {
            (Place::Memory(bytes), _) => Cow::Borrowed(&**bytes),
            (Place::Disk(place), Some(log)) => Cow::Owned(log.read(*place)?),
            (Place::Disk(_), None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Row::decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The files, if there are any.
    pub(super) const fn log(&mut self) -> Option<&mut Log> {
        self.log.as_mut()
    }
}

impl Place {
    /// Whether this is that place in a file.
    pub(super) fn is(&self, other: log::Place) -> bool {
        matches!(self, Self::Disk(place) if *place == other)
    }
}

/// How many bytes a row takes.
pub(super) const fn size(row: &[u8]) -> u64 {
    (row.len() as u64).saturating_add(FRAME as u64)
}
