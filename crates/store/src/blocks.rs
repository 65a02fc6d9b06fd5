//! Block and undo files: `blkNNNNN.dat` and `revNNNNN.dat`, in Bitcoin Core's framing.
//!
//! ```text
//! blk: (magic ‖ length ‖ block)*                      ‖ zeros
//! rev: (magic ‖ length ‖ undo ‖ sha256d(prev ‖ undo))* ‖ zeros      prev: hash of the block's parent
//! ```
//!
//! Files are appended to only. How far each is filled ([`Info`]) is committed with the tip, after the bytes are synced;
//! what a crash leaves behind that point is cut off when the files are opened, and files that no commit knows are
//! deleted. Blocks may stand in any order. Not its job: what a block is.

mod appender;
mod info;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use yap_chain::undo::{self, Undo};

use crate::database::{Rows, Table};
use crate::error::Error;
use crate::framing;
use appender::Appender;
pub(crate) use info::Info;
pub(crate) use place::Place;

/// Where a record is: the number of its file, and where it starts there, behind its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePosition {
    /// Number of the file.
    pub file: u32,
    /// First byte of the record.
    pub offset: u32,
}

/// Size from which a block file takes no more blocks, as in Bitcoin Core.
pub const BLOCK_FILE_SIZE: u32 = 128 << 20;

/// Bytes by which a block file grows on disk, so that it lies in few pieces (Core's `BLOCKFILE_CHUNK_SIZE`).
pub(crate) const BLOCK_CHUNK: u64 = 16 << 20;

/// Bytes by which an undo file grows on disk (Core's `UNDOFILE_CHUNK_SIZE`).
pub(crate) const UNDO_CHUNK: u64 = 1 << 20;

/// Longest undo record: the coins that a block of 4,000,000 weight units can spend (fewer than 25,000 inputs, each with
/// a script of at most 10,000 bytes).
const MAX_UNDO: u32 = 256 << 20;

/// Blocks below the tip that are never pruned: what a reorganisation may need (BIP-0159).
pub const KEPT_BLOCKS: u32 = 288;

/// Offsets in a file fit 32 bits.
const MAX_LIMIT: u32 = 1 << 31;

const FRAME: u32 = 8;
const CHECKSUM: usize = 32;

/// Pairs of files that are written to between two commits: each keeps two files open until it is synced.
pub(crate) const MAX_CHANGED: usize = 16;

/// The two kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block,
    Undo,
}

impl Kind {
    fn path(self, directory: &Path, number: u32) -> PathBuf {
        let kind = match self {
            Self::Block => "blk",
            Self::Undo => "rev",
        };
        directory.join(format!("{kind}{number:05}.dat"))
    }

    fn number(self, name: &str) -> Option<u32> {
        let kind = match self {
            Self::Block => "blk",
            Self::Undo => "rev",
        };
        name.strip_prefix(kind)?.strip_suffix(".dat")?.parse().ok()
    }
}

/// All block and undo files of a store.
#[derive(Debug)]
pub(crate) struct Files {
    directory: PathBuf,
    magic: [u8; 4],
    limit: u32,
    infos: BTreeMap<u32, Info>,
    /// Files whose info is newer than the last commit's.
    changed: BTreeSet<u32>,
    block: Option<Appender>,
    undo: Option<Appender>,
    /// Files that were written to since the last commit, but are not any more.
    closed: BTreeMap<PathBuf, Arc<File>>,
    /// Whether the directory got files since the last commit.
    made: bool,
}

/// What must reach the disk before a commit may name it.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    files: BTreeMap<PathBuf, Arc<File>>,
    directory: Option<PathBuf>,
}

impl Unsynced {
    /// Waits until everything is on the disk.
    pub(crate) fn sync(self) -> Result<(), Error> {
        for (path, file) in self.files {
            file.sync_data().map_err(Error::io(&path))?;
        }
        self.directory.map_or(Ok(()), |directory| sync_directory(&directory))
    }
}

/// Makes the names of new files in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    // Windows cannot open directories; its file systems journal names.
    if cfg!(unix) {
        File::open(directory).and_then(|file| file.sync_all()).map_err(Error::io(directory))?;
    }
    Ok(())
}

/// Whether there are block or undo files in `directory` that hold anything.
pub(crate) fn any(directory: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        let entry = entry.map_err(Error::io(directory))?;
        let name = entry.file_name();
        let numbered = |kind: Kind| name.to_str().is_some_and(|name| kind.number(name).is_some());
        if [Kind::Block, Kind::Undo].into_iter().any(numbered)
            && entry.metadata().map_err(Error::io(directory))?.len() > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Files {
    /// Opens the files in `directory` as the last commit left them: `infos`.
    pub(crate) fn open(
        directory: PathBuf,
        magic: [u8; 4],
        limit: u32,
        infos: BTreeMap<u32, Info>,
    ) -> Result<Self, Error> {
        let (closed, changed) = (BTreeMap::new(), BTreeSet::new());
        let limit = limit.min(MAX_LIMIT);
        let files = Self { directory, magic, limit, infos, changed, block: None, undo: None, closed, made: false };
        files.cut()?;
        Ok(files)
    }

    /// Cuts off and deletes what no commit knows.
    fn cut(&self) -> Result<(), Error> {
        for (path, kind, number) in list(&self.directory)? {
            let size = self.infos.get(&number).map_or(0, |info| info.size(kind));
            if size == 0 {
                fs::remove_file(&path).map_err(Error::io(&path))?;
                continue;
            }
            let length = fs::metadata(&path).map_err(Error::io(&path))?.len();
            if length > u64::from(size) {
                let file = File::options().write(true).open(&path).map_err(Error::io(&path))?;
                file.set_len(u64::from(size)).map_err(Error::io(&path))?;
            }
        }
        Ok(())
    }

    /// Appends a block of this height.
    pub(crate) fn write_block(&mut self, block: &[u8], height: u32) -> Result<FilePosition, Error> {
        let length = record_length(block.len(), framing::MAX_RECORD)?;
        let needed = length.saturating_add(FRAME);
        let mut number = self.infos.last_key_value().map_or(0, |(number, _)| *number);
        let filled = self.infos.get(&number).map_or(0, |info| info.blocks_size);
        if filled > 0 && filled.saturating_add(needed) > self.limit {
            number = number.checked_add(1).ok_or(Error::TooManyFiles)?;
        }
        let magic = self.magic;
        self.appender(Kind::Block, number)?.append(&[&magic, &length.to_le_bytes(), block])?;
        let info = self.infos.entry(number).or_default();
        let offset = info.blocks_size.saturating_add(FRAME);
        info.add(height, needed);
        self.changed.insert(number);
        Ok(FilePosition { file: number, offset })
    }

    /// Appends undo data of a block that is in `file` and follows `parent`.
    pub(crate) fn write_undo(&mut self, file: u32, parent: BlockHash, undo: &Undo) -> Result<FilePosition, Error> {
        let mut bytes = Vec::new();
        undo::codec::encode(undo, &mut bytes);
        let most = usize::try_from(MAX_UNDO).unwrap_or(usize::MAX);
        let length = record_length(bytes.len(), most)?;
        let info = *self.infos.get(&file).ok_or(Error::Pruned { file })?;
        let offset = info.undo_size.checked_add(FRAME).ok_or(Error::TooLarge { size: bytes.len() })?;
        let checksum = checksum(parent, &bytes);
        let end = u32::try_from(CHECKSUM).ok().and_then(|tail| offset.checked_add(length)?.checked_add(tail));
        let end = end.ok_or(Error::TooLarge { size: bytes.len() })?;
        let magic = self.magic;
        self.appender(Kind::Undo, file)?.append(&[&magic, &length.to_le_bytes(), &bytes, &checksum])?;
        self.infos.entry(file).and_modify(|info| info.undo_size = end);
        self.changed.insert(file);
        Ok(FilePosition { file, offset })
    }

    /// The appender of a file, opened if another one is open.
    fn appender(&mut self, kind: Kind, number: u32) -> Result<&mut Appender, Error> {
        let (slot, chunk) = match kind {
            Kind::Block => (&mut self.block, BLOCK_CHUNK),
            Kind::Undo => (&mut self.undo, UNDO_CHUNK),
        };
        if let Some(mut old) = slot.take_if(|open| open.number() != number) {
            let (path, file) = old.close()?;
            self.closed.insert(path, file);
        }
        if slot.is_none() {
            let filled = self.infos.get(&number).map_or(0, |info| info.size(kind));
            self.made |= filled == 0;
            *slot = Some(Appender::open(kind.path(&self.directory, number), number, filled, chunk)?);
        }
        slot.as_mut().ok_or(Error::Stopped)
    }

    /// Whether so many files have changed since the last commit that one is due.
    pub(crate) fn is_full(&self) -> bool {
        self.changed.len() >= MAX_CHANGED
    }

    /// Hands over what has been written since the last commit: files to sync, and rows to commit after that.
    pub(crate) fn take_changes(&mut self) -> Result<(Unsynced, Rows), Error> {
        let mut files = std::mem::take(&mut self.closed);
        for appender in [&mut self.block, &mut self.undo].into_iter().flatten() {
            files.extend(appender.take_unsynced()?);
        }
        let directory = std::mem::take(&mut self.made).then(|| self.directory.clone());
        let rows = std::mem::take(&mut self.changed).into_iter().map(|number| {
            let info = self.infos.get(&number).map(Info::encode);
            (Table::Files.key(&number.to_be_bytes()), info)
        });
        Ok((Unsynced { files, directory }, rows.collect()))
    }

    /// Where the block at `position` is read.
    pub(crate) fn block(&mut self, position: FilePosition) -> Result<Place, Error> {
        self.place(Kind::Block, position)
    }

    /// Where the undo data at `position` is read.
    pub(crate) fn undo(&mut self, position: FilePosition) -> Result<Place, Error> {
        self.place(Kind::Undo, position)
    }

    /// Opens a file for reading; what is still in memory is written first if it reaches there.
    fn place(&mut self, kind: Kind, position: FilePosition) -> Result<Place, Error> {
        let number = position.file;
        let end = u64::from(self.infos.get(&number).ok_or(Error::Pruned { file: number })?.size(kind));
        let path = kind.path(&self.directory, number);
        let open = match kind {
            Kind::Block => &mut self.block,
            Kind::Undo => &mut self.undo,
        };
        if let Some(open) = open.as_mut().filter(|open| open.number() == number) {
            open.flush_to(u64::from(position.offset))?;
        }
        let file = File::open(&path).map_err(Error::io(&path))?;
        Ok(Place { path, file, magic: self.magic, offset: u64::from(position.offset), end })
    }

    /// The records of a block file as a stream, up to where it is filled.
    pub(crate) fn scan(&mut self, number: u32) -> Result<framing::Reader<io::Take<File>>, Error> {
        let place = self.place(Kind::Block, FilePosition { file: number, offset: u32::MAX })?;
        Ok(framing::Reader::new(place.file.take(place.end), self.magic))
    }

    /// Numbers of the files that hold blocks.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.infos.keys().copied().collect()
    }

    /// Bytes of all files.
    pub(crate) fn total(&self) -> u64 {
        self.infos.values().map(Info::total).fold(0, u64::saturating_add)
    }

    /// The files to delete so that the rest has at most `target` bytes, if blocks up to `highest` may go: as few as
    /// suffice, the oldest first, and never the one that is written to.
    pub(crate) fn prunable(&self, target: u64, highest: u32) -> Vec<u32> {
        let mut total = self.total();
        let mut files = Vec::new();
        let current = self.infos.last_key_value().map(|(number, _)| *number);
        for (number, info) in self.infos.iter().filter(|(number, _)| Some(**number) != current) {
            if total <= target {
                break;
            }
            if info.highest <= highest {
                total = total.saturating_sub(info.total());
                files.push(*number);
            }
        }
        files
    }

    /// Forgets files, so that the next commit does; but never the one that is written to.
    pub(crate) fn forget(&mut self, numbers: &[u32]) {
        for number in numbers {
            if self.infos.last_key_value().is_some_and(|(last, _)| last == number) {
                continue;
            }
            if self.undo.as_ref().is_some_and(|open| open.number() == *number) {
                self.undo = None;
            }
            if self.infos.remove(number).is_some() {
                self.changed.insert(*number);
            }
        }
    }

    /// Deletes files that a commit has forgotten.
    pub(crate) fn delete(&self, numbers: &[u32]) -> Result<(), Error> {
        for number in numbers.iter().filter(|number| !self.infos.contains_key(number)) {
            for path in [Kind::Block, Kind::Undo].map(|kind| kind.path(&self.directory, *number)) {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io(&path)(error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Gives back the space that was reserved for later records.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        for appender in [self.block.take(), self.undo.take()].iter_mut().flatten() {
            appender.close()?;
        }
        Ok(())
    }
}

/// The block and undo files in `directory`.
fn list(directory: &Path) -> Result<Vec<(PathBuf, Kind, u32)>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        let path = entry.map_err(Error::io(directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let known = [Kind::Block, Kind::Undo].into_iter().find_map(|kind| Some((kind, kind.number(name)?)));
        files.extend(known.map(|(kind, number)| (path, kind, number)));
    }
    Ok(files)
}

fn record_length(size: usize, most: usize) -> Result<u32, Error> {
    u32::try_from(size).ok().filter(|_| size <= most).ok_or(Error::TooLarge { size })
}

fn checksum(parent: BlockHash, undo: &[u8]) -> [u8; CHECKSUM] {
    let mut engine = sha256d::Hash::engine();
    engine.input(parent.as_byte_array());
    engine.input(undo);
    sha256d::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests;
