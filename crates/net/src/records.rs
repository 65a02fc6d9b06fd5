//! The record store of the DHT, on disk.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::kad::store::{self, RecordStore};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use crate::config;

/// Why the records could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The folder or a file in it can't be made, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another node has them open.
    #[error("another node uses {}", .0.display())]
    Locked(PathBuf),
}

/// The records and provider records that this node holds.
#[derive(Debug)]
pub(crate) struct Store {}

impl Store {
    /// Opens what was kept in `directory/records`, or begins with nothing; without a directory everything is in memory.
    pub(crate) fn open(
        _local: PeerId,
        _directory: Option<&Path>,
        _config: &config::Records,
    ) -> Result<Self, OpenError> {
        todo!()
    }

    /// How many records are held.
    pub(crate) fn len(&self) -> usize {
        todo!()
    }

    /// Brings everything that was written to the disk itself, so that it survives a power cut. Blocks: for the stop.
    pub(crate) fn sync(&mut self) {
        todo!()
    }
}

impl RecordStore for Store {
    type RecordsIter<'a> = std::iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        todo!()
    }
    fn put(&mut self, _: Record) -> store::Result<()> {
        todo!()
    }
    fn remove(&mut self, _: &RecordKey) {
        todo!()
    }
    fn records(&self) -> Self::RecordsIter<'_> {
        todo!()
    }
    fn add_provider(&mut self, _: ProviderRecord) -> store::Result<()> {
        todo!()
    }
    fn providers(&self, _: &RecordKey) -> Vec<ProviderRecord> {
        todo!()
    }
    fn provided(&self) -> Self::ProvidedIter<'_> {
        todo!()
    }
    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {
        todo!()
    }
}
