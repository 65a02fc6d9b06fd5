//! The bytes of a payload, read from the front.

use yap_chain::integer;

use super::Error;

/// A payload that is being read.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The message's name, for errors.
    name: &'static str,
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &'static str, bytes: &'a [u8]) -> Self {
        Self { name, whole: bytes.len(), rest: bytes }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes that were read.
    pub(super) fn offset(&self) -> usize {
        self.whole.saturating_sub(self.rest.len())
    }

    /// Bytes that were not.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// What was not read, for a reader that takes it from the front.
    pub(super) fn rest(&mut self) -> &mut &'a [u8] {
        &mut self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        self.rest.split_off(..count).ok_or(Error::Truncated(self.name))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        integer::take_array(&mut self.rest).copied().map_err(|cause| self.error(cause))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn compact(&mut self) -> Result<u64, Error> {
        integer::read_compact(&mut self.rest).map_err(|cause| self.error(cause))
    }

    /// Reads a count of at most `limit`.
    pub(super) fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, Error> {
        let count = self.compact()?;
        let too_many = Error::TooMany { name: self.name, what, count, limit };
        usize::try_from(count).ok().filter(|&count| count <= limit).ok_or(too_many)
    }

    /// Reads bytes after their count, which is at most `limit`.
    pub(super) fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], Error> {
        let count = self.count(what, limit)?;
        self.take(count)
    }

    /// Reads a list of at most `limit` items, of which each takes `least` bytes or more. Memory is taken only for as many
    /// items as the bytes present can hold: a longer list is refused before anything of it is read.
    pub(super) fn list<T>(
        &mut self,
        (what, limit): (&'static str, usize),
        least: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.count(what, limit)?;
        if count > self.rest.len().checked_div(least).unwrap_or(0) {
            return Err(Error::Truncated(self.name));
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn error(&self, cause: integer::Error) -> Error {
        match cause {
            integer::Error::NotMinimal(value) => Error::NotMinimal { name: self.name, value },
            integer::Error::Truncated | integer::Error::TooLarge => Error::Truncated(self.name),
        }
    }
}

/// What of `bytes` is printable ASCII: peers' words end up in logs and on terminals.
pub(super) fn printable(bytes: &[u8]) -> Box<str> {
    bytes.iter().filter(|byte| matches!(byte, b' '..=b'~')).map(|&byte| char::from(byte)).collect()
}
