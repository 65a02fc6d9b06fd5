//! Rows in files: written at the end, read at their place, and cleaned from the beginning.
//!
//! ```text
//!  oldest segment            …                  tail
//! ┌──────────────────┐┌──────────────────┐┌───────────┐
//! │ row row gone row ││ row row row row  ││ row row ──┼─▶ append
//! └──────────────────┘└──────────────────┘└───────────┘
//!   ▲ cleaned next: what still counts is appended again, then the file is deleted
//! ```
//!
//! A row is framed by a mark, its length and a checksum, so a damaged one costs itself alone: reading goes on at the
//! next mark with a good checksum. The checksum is keyed by the file's name, which holds random bits, and by the place
//! in it, so that no value that a peer chose can look like a row within a damaged one. Why not the engine of the
//! ledger's tables: `docs/adr/0011-records-in-a-log.md`.
//!
//! An append is given to the system at once: it survives the death of the process. [`Log::sync`] brings it to the disk
//! itself. Because the oldest file is always the one that is cleaned, a row which says that something is gone can be
//! forgotten with its file: nothing older is left that it speaks of.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bitcoin::hashes::siphash24;

use super::OpenError;

/// Every row begins with it.
const MARK: [u8; 4] = *b"yapR";

/// Mark, length, checksum.
pub(super) const FRAME: usize = 16;

/// Longest row: a record of the longest key and value, or a provider with all of its addresses.
pub(super) const MAX_ROW: usize = 64 << 10;

/// Longest file, however much room there is: cleaning holds one in memory.
const MAX_SEGMENT: u64 = 4 << 20;

/// Shortest size at which a new file is begun.
const MIN_SEGMENT: u64 = 64 << 10;

/// Into how many files the room is divided.
const SEGMENTS: u64 = 64;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    segment: u32,
    offset: u32,
    /// Of the row without its frame.
    length: u32,
}

/// One file.
#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    /// The random bits of its name.
    seed: u64,
    length: u64,
}

/// A file that is being cleaned.
#[derive(Debug)]
struct Cleaning {
    segment: u32,
    seed: u64,
    bytes: Vec<u8>,
    offset: usize,
}

/// The files.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// Held so that no other node uses the folder.
    _lock: File,
    segments: BTreeMap<u32, Segment>,
    /// Size from which on a new file is begun.
    limit: u64,
    /// Bytes of all files.
    total: u64,
    cleaning: Option<Cleaning>,
    /// Whether something was written since the last sync.
    dirty: bool,
}

impl Log {
    /// Opens the files in `folder`, which is made if it is not there, and shows every row to `visit`, oldest first.
    pub(super) fn open(folder: &Path, room: u64, visit: &mut dyn FnMut(Place, &[u8])) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(at(folder))?;
        let lock = lock(&folder.join("lock"))?;
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let Some((number, seed)) = parse_name(&path) else { continue };
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(at(&path))?;
            let length = file.metadata().map_err(at(&path))?.len();
            segments.insert(number, Segment { file, path, seed, length });
        }
        for (&number, segment) in &segments {
            let bytes = segment.load().map_err(at(&segment.path))?;
            let mut damaged = 0_usize;
            let mut offset = 0;
            while let Some(found) = find(&bytes, offset, segment.seed) {
                damaged = damaged.saturating_add(found.skipped);
                visit(found.place(number), found.row);
                offset = found.next;
            }
            damaged = damaged.saturating_add(bytes.len().saturating_sub(offset));
            if damaged > 0 {
                let (file, bytes) = (segment.path.display(), damaged);
                tracing::warn!(%file, bytes, "part of the records is damaged, and left out");
            }
        }
        let total = segments.values().map(|segment| segment.length).sum();
        let limit = (room / SEGMENTS).clamp(MIN_SEGMENT, MAX_SEGMENT);
        Ok(Self { folder: folder.to_path_buf(), _lock: lock, segments, limit, total, cleaning: None, dirty: false })
    }

    /// Bytes of all files.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Size from which on a new file is begun.
    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Writes a row.
    pub(super) fn append(&mut self, row: &[u8]) -> io::Result<Place> {
        if row.len() > MAX_ROW {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let number = self.tail()?;
        let segment = self.segments.get_mut(&number).ok_or(io::ErrorKind::NotFound)?;
        let offset = u32::try_from(segment.length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let length = u32::try_from(row.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut frame = Vec::with_capacity(row.len().saturating_add(FRAME));
        frame.extend(MARK);
        frame.extend(length.to_le_bytes());
        frame.extend(checksum(segment.seed, u64::from(offset), row).to_le_bytes());
        frame.extend(row);
        // What an earlier failure left at the end is written over.
        segment.file.seek(SeekFrom::Start(segment.length))?;
        segment.file.write_all(&frame)?;
        let written = frame.len() as u64;
        segment.length = segment.length.saturating_add(written);
        self.total = self.total.saturating_add(written);
        self.dirty = true;
        Ok(Place { segment: number, offset, length })
    }

    /// The row at a place; an error of kind `InvalidData` if it is damaged.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let segment = self.segments.get(&place.segment).ok_or(io::ErrorKind::NotFound)?;
        let mut frame = vec![0; FRAME.saturating_add(place.length as usize)];
        let mut file = &segment.file;
        file.seek(SeekFrom::Start(u64::from(place.offset)))?;
        file.read_exact(&mut frame)?;
        let row = row_at(&frame, 0, segment.seed, u64::from(place.offset)).ok_or(io::ErrorKind::InvalidData)?;
        Ok(row.to_vec())
    }

    /// The next row of the oldest file: one that still counts is to be appended again. `None` if that was all, and the
    /// file is gone, or if there is only one file.
    pub(super) fn clean(&mut self) -> io::Result<Option<(Place, Vec<u8>)>> {
        if self.cleaning.is_none() {
            let Some((&number, segment)) = self.segments.first_key_value() else { return Ok(None) };
            if self.segments.len() < 2 {
                return Ok(None);
            }
            self.cleaning = Some(Cleaning { segment: number, seed: segment.seed, bytes: segment.load()?, offset: 0 });
        }
        let Some(cleaning) = &mut self.cleaning else { return Ok(None) };
        if let Some(found) = find(&cleaning.bytes, cleaning.offset, cleaning.seed) {
            cleaning.offset = found.next;
            return Ok(Some((found.place(cleaning.segment), found.row.to_vec())));
        }
        let number = cleaning.segment;
        self.cleaning = None;
        // What was copied out of the file must not be lost with it.
        self.dirty = true;
        self.sync()?;
        if let Some(segment) = self.segments.remove(&number) {
            self.total = self.total.saturating_sub(segment.length);
            fs::remove_file(&segment.path)?;
        }
        Ok(None)
    }

    /// Cleaning begins the oldest file anew.
    pub(super) fn clean_anew(&mut self) {
        self.cleaning = None;
    }

    /// Brings what was written to the disk itself. Blocks.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        // All but the tail are synced when the next one is begun.
        if let Some((_, tail)) = self.segments.last_key_value() {
            tail.file.sync_data()?;
        }
        self.dirty = false;
        Ok(())
    }

    /// The file that a thread may bring to the disk itself, if something was written; it counts as done.
    pub(super) fn unsynced(&mut self) -> Option<File> {
        let (_, tail) = self.segments.last_key_value().filter(|_| self.dirty)?;
        let file = tail.file.try_clone().ok()?;
        self.dirty = false;
        Some(file)
    }

    /// The file to append to; a new one if the last is full.
    fn tail(&mut self) -> io::Result<u32> {
        let number = match self.segments.last_key_value() {
            Some((&number, segment)) if segment.length < self.limit => return Ok(number),
            Some((&number, _)) => number.checked_add(1).ok_or(io::ErrorKind::StorageFull)?,
            None => 0,
        };
        self.sync()?;
        let seed = RandomState::new().build_hasher().finish();
        let path = self.folder.join(format!("{number:08x}-{seed:016x}.log"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        self.segments.insert(number, Segment { file, path, seed, length: 0 });
        Ok(number)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.sync() {
            tracing::warn!(folder = %self.folder.display(), %error, "the last records may not survive a power cut");
        }
    }
}

impl Segment {
    /// All of it; not more than a file can have.
    fn load(&self) -> io::Result<Vec<u8>> {
        let most = MAX_SEGMENT.saturating_add((MAX_ROW.saturating_add(FRAME)) as u64);
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A row that was found.
struct Found<'a> {
    row: &'a [u8],
    offset: usize,
    /// Where to look for the one after it.
    next: usize,
    /// Damaged bytes before it.
    skipped: usize,
}

impl Found<'_> {
    fn place(&self, segment: u32) -> Place {
        let number = |size: usize| u32::try_from(size).expect("a file is never longer than MAX_SEGMENT and a row");
        Place { segment, offset: number(self.offset), length: number(self.row.len()) }
    }
}

/// The first good row at `from` or behind.
fn find(bytes: &[u8], from: usize, seed: u64) -> Option<Found<'_>> {
    let mut offset = from;
    loop {
        if let Some(row) = row_at(bytes, offset, seed, offset as u64) {
            let next = offset.saturating_add(FRAME).saturating_add(row.len());
            return Some(Found { row, offset, next, skipped: offset.saturating_sub(from) });
        }
        let behind = offset.saturating_add(1);
        let distance = bytes.get(behind..)?.windows(MARK.len()).position(|window| window == MARK)?;
        offset = behind.saturating_add(distance);
    }
}

/// The row whose frame begins at `offset` in `bytes`, and at `place` in its file.
fn row_at(bytes: &[u8], offset: usize, seed: u64, place: u64) -> Option<&[u8]> {
    let (mark, rest) = bytes.get(offset..)?.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let row = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let good = *mark == MARK && row.len() <= MAX_ROW && checksum(seed, place, row) == u64::from_le_bytes(*sum);
    good.then_some(row)
}

fn checksum(seed: u64, place: u64, row: &[u8]) -> u64 {
    siphash24::Hash::hash_to_u64_with_keys(seed, place, row)
}

/// Number and random bits of a file's name, such as `0000001f-0123456789abcdef.log`.
fn parse_name(path: &Path) -> Option<(u32, u64)> {
    let (number, seed) = path.file_name()?.to_str()?.strip_suffix(".log")?.split_once('-')?;
    (number.len() == 8 && seed.len() == 16).then_some(())?;
    Some((u32::from_str_radix(number, 16).ok()?, u64::from_str_radix(seed, 16).ok()?))
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let fault = |source| OpenError::Io { path: path.to_path_buf(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_path_buf())),
        Err(fs::TryLockError::Error(source)) => Err(fault(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, room: u64) -> (Log, Vec<Vec<u8>>) {
        let mut rows = Vec::new();
        let log = Log::open(folder, room, &mut |_, row| rows.push(row.to_vec())).unwrap();
        (log, rows)
    }

    fn file(folder: &Path) -> PathBuf {
        let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| parse_name(path).is_some()).unwrap()
    }

    #[test]
    fn rows_come_back_in_their_order_and_at_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, rows) = open(folder.path(), 0);
        assert!(rows.is_empty());
        let rows: Vec<Vec<u8>> = (0..200_u8).map(|byte| vec![byte; 1_000]).collect();
        let places: Vec<Place> = rows.iter().map(|row| log.append(row).unwrap()).collect();
        assert!(log.segments.len() > 2);
        for (place, row) in places.iter().zip(&rows) {
            assert_eq!(log.read(*place).unwrap(), *row);
        }
        let total = log.total();
        drop(log);
        let (log, again) = open(folder.path(), 0);
        assert_eq!(again, rows);
        assert_eq!(log.total(), total);
    }

    #[test]
    fn the_longest_row_is_taken_and_one_byte_more_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 0);
        let place = log.append(&vec![1; MAX_ROW]).unwrap();
        assert_eq!(log.read(place).unwrap(), vec![1; MAX_ROW]);
        assert!(log.append(&vec![1; MAX_ROW + 1]).is_err());
    }

    #[test]
    fn a_second_node_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = open(folder.path(), 0);
        let second = Log::open(folder.path(), 0, &mut |_, _| {});
        assert!(matches!(second, Err(OpenError::Locked(_))), "{second:?}");
        drop(log);
        open(folder.path(), 0);
    }

    #[test]
    fn cleaning_takes_the_oldest_file_and_leaves_the_tail() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 0);
        for byte in 0..200_u8 {
            log.append(&[byte; 1_000]).unwrap();
        }
        let mut files = log.segments.len();
        let mut rows = Vec::new();
        while files > 1 {
            while let Some((place, row)) = log.clean().unwrap() {
                assert_eq!(log.read(place).unwrap(), row);
                rows.push(row[0]);
            }
            files -= 1;
            assert_eq!(log.segments.len(), files);
        }
        assert!(log.clean().unwrap().is_none());
        assert_eq!(rows, (0..u8::try_from(rows.len()).unwrap()).collect::<Vec<_>>());
        drop(log);
        let (log, left) = open(folder.path(), 0);
        assert_eq!(left.len() + rows.len(), 200);
        assert_eq!(log.total(), left.len() as u64 * 1_016);
    }

    #[test]
    fn a_damaged_byte_costs_one_row() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 0);
        let rows: Vec<Vec<u8>> = (1..=4_u8).map(|byte| vec![byte; 10]).collect();
        let places: Vec<Place> = rows.iter().map(|row| log.append(row).unwrap()).collect();
        drop(log);
        let path = file(folder.path());
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            for bit in [0, 7] {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(&path, &bad).unwrap();
                let (log, left) = open(folder.path(), 0);
                let lost = at / (FRAME + 10);
                let expected: Vec<_> = (0..4).filter(|row| *row != lost).map(|row| rows[row].clone()).collect();
                assert_eq!(left, expected, "byte {at}");
                assert_eq!(log.read(places[lost]).unwrap_err().kind(), io::ErrorKind::InvalidData);
            }
        }
    }

    #[test]
    fn a_cut_file_keeps_what_is_whole_and_can_be_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 0);
        for byte in 1..=3_u8 {
            log.append(&[byte; 10]).unwrap();
        }
        drop(log);
        let path = file(folder.path());
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (mut log, left) = open(folder.path(), 0);
            assert_eq!(left.len(), length / (FRAME + 10));
            log.append(b"new").unwrap();
            drop(log);
            let (_, again) = open(folder.path(), 0);
            assert_eq!(again.len(), left.len() + 1, "cut at {length}");
            assert_eq!(again.last().unwrap(), b"new");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_row_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path(), 0);
        log.append(b"first").unwrap();
        drop(log);
        let path = file(folder.path());
        // A peer has the value hold a copy of a good frame, and the frame around it gets damaged.
        let forged = fs::read(&path).unwrap();
        let (mut log, _) = open(folder.path(), 0);
        log.append(&forged).unwrap();
        drop(log);
        let mut bytes = fs::read(&path).unwrap();
        bytes[forged.len()] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (_, rows) = open(folder.path(), 0);
        assert_eq!(rows, [b"first"]);
    }
}
