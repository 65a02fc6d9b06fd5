//! The end of one file that records are appended to.
//!
//! Small records are gathered in memory, so that a chain of small blocks costs no system call for each; space is
//! reserved in large pieces.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;

/// Bytes that are gathered before they are written.
pub(super) const BUFFER: usize = 256 << 10;

/// The end of one file.
#[derive(Debug)]
pub(super) struct Appender {
    number: u32,
    path: PathBuf,
    file: Arc<File>,
    /// Bytes before this offset are written; the buffer's follow.
    written: u64,
    buffer: Vec<u8>,
    /// Bytes that the file occupies, or may without asking for more.
    reserved: u64,
    chunk: u64,
    unsynced: bool,
}

impl Appender {
    /// Opens or makes the file at `path`, to go on at `filled`.
    pub(super) fn open(path: PathBuf, number: u32, filled: u32, chunk: u64) -> Result<Self, Error> {
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
        let written = u64::from(filled);
        let (file, buffer) = (Arc::new(file), Vec::new());
        Ok(Self { number, path, file, written, buffer, reserved: written, chunk, unsynced: false })
    }

    /// Number of the file.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Appends the parts one after the other.
    pub(super) fn append(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        self.unsynced = true;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes what has been gathered, if that is needed to read at `offset`.
    pub(super) fn flush_to(&mut self, offset: u64) -> Result<(), Error> {
        if offset >= self.written { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let length = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        let end = self.written.saturating_add(length);
        if end > self.reserved {
            let reserved = end.div_ceil(self.chunk).saturating_mul(self.chunk);
            self.reserve(reserved)?;
        }
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.written)).map_err(Error::io(&self.path))?;
        file.write_all(&self.buffer).map_err(Error::io(&self.path))?;
        self.written = end;
        self.buffer.clear();
        Ok(())
    }

    /// Reserves space up to `end`, where the system can.
    fn reserve(&mut self, end: u64) -> Result<(), Error> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            let length = end.saturating_sub(self.reserved);
            match fallocate(&*self.file, FallocateFlags::empty(), self.reserved, length) {
                // Not every file system can; then it grows as it is written.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
                // Less than a chunk may still be there.
                Err(rustix::io::Errno::NOSPC) => return Ok(()),
                Err(error) => return Err(Error::io(&self.path)(error.into())),
            }
        }
        self.reserved = end;
        Ok(())
    }

    /// Writes what has been gathered; the file if it must be synced.
    pub(super) fn take_unsynced(&mut self) -> Result<Option<(PathBuf, Arc<File>)>, Error> {
        self.flush()?;
        Ok(std::mem::take(&mut self.unsynced).then(|| (self.path.clone(), Arc::clone(&self.file))))
    }

    /// Writes what has been gathered, and gives back what was reserved; the file must still be synced.
    pub(super) fn close(&mut self) -> Result<(PathBuf, Arc<File>), Error> {
        self.flush()?;
        self.file.set_len(self.written).map_err(Error::io(&self.path))?;
        Ok((self.path.clone(), Arc::clone(&self.file)))
    }
}
