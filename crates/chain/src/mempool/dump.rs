//! The pool as bytes: Bitcoin Core's `mempool.dat`, versions 1 and 2 read, version 2 written.
//!
//! ```text
//! version   u64
//! key       compact size 8, 8 bytes    version 2; from here on every byte is XORed with the key's byte at its offset
//! count     u64
//! count ×   transaction, time i64, priority i64
//! priorities of transactions that are not among these: compact size, txid and i64 each
//! unbroadcast: compact size, txid each
//! ```
//!
//! Numbers are little-endian. Reading gives one transaction at a time, each with bytes of its own, and allocates by what
//! the bytes hold, never by what a count says.

use std::io::{self, Write};
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{Txid, consensus::encode};

use super::{Entry, Mempool};
use crate::integer::{self, read_compact, take_array, write_compact};
use crate::transaction::Transaction;

/// The version without a key.
const PLAIN: u64 = 1;
/// The version that is written.
const KEYED: u64 = 2;

/// Bytes of a key.
pub const KEY_SIZE: usize = 8;

/// A transaction as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// When it came, in Unix seconds: the time to [`insert`](Mempool::insert) it with.
    pub time: u64,
    /// Satoshi that the operator counts besides its fee, for [`prioritise`](Mempool::prioritise) before it is checked.
    pub priority: i64,
}

/// What follows the transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Transactions that were not in the pool, and how many satoshi the operator counts besides their fees.
    pub priorities: Vec<(Txid, i64)>,
    /// Transactions that no peer had yet.
    pub unbroadcast: Vec<Txid>,
}

/// Why bytes are not a saved pool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A version of another program, or another kind of file.
    #[error("version {0} is not known")]
    Version(u64),
    /// A key that is not 8 bytes long.
    #[error("a key of {0} bytes")]
    Key(u64),
    /// The bytes end, or a count is not written as it should be.
    #[error("at byte {offset}: {cause}")]
    Integer {
        /// Where.
        offset: usize,
        /// What was wrong.
        cause: integer::Error,
    },
    /// Not a transaction.
    #[error("at byte {offset}: {cause}")]
    Transaction {
        /// Where it starts.
        offset: usize,
        /// What was wrong.
        cause: encode::Error,
    },
    /// Bytes follow the end.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
}

/// Writes the pool to `out`, those that pay most first, parents before children. `key`: anything, best random, so that
/// no other program takes the bytes of a transaction for its own business.
///
/// # Errors
/// Those of `out`.
pub fn write(pool: &Mempool, key: [u8; KEY_SIZE], out: &mut impl Write) -> io::Result<()> {
    Snapshot::of(pool).write(key, out)
}

/// What is written of a pool, as of one moment. It shares the transactions with the pool, so that it can be written while
/// the pool goes on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    entries: Vec<Arc<Entry>>,
    rest: Rest,
}

impl Snapshot {
    /// The pool as it is.
    #[must_use]
    pub fn of(pool: &Mempool) -> Self {
        let others = pool.priorities().iter().filter(|(txid, _)| !pool.contains_txid(txid));
        let priorities = others.map(|(txid, priority)| (*txid, *priority)).collect();
        let rest = Rest { priorities, unbroadcast: pool.unbroadcast().iter().copied().collect() };
        Self { entries: pool.by_feerate().cloned().collect(), rest }
    }

    /// How many transactions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// As [`write()`].
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, key: [u8; KEY_SIZE], out: &mut impl Write) -> io::Result<()> {
        let mut head = KEYED.to_le_bytes().to_vec();
        write_compact(KEY_SIZE, &mut head);
        head.extend(key);
        out.write_all(&head)?;
        let mut masked = Masked { out, key, offset: head.len() };
        let count = u64::try_from(self.len()).unwrap_or(u64::MAX);
        masked.write(count.to_le_bytes().to_vec())?;
        for entry in &self.entries {
            masked.write(saved(entry))?;
        }
        let mut rest = Vec::new();
        write_compact(self.rest.priorities.len(), &mut rest);
        for (txid, priority) in &self.rest.priorities {
            rest.extend(txid.to_byte_array());
            rest.extend(priority.to_le_bytes());
        }
        write_compact(self.rest.unbroadcast.len(), &mut rest);
        rest.extend(self.rest.unbroadcast.iter().flat_map(|txid| txid.to_byte_array()));
        masked.write(rest)
    }
}

fn saved(entry: &Entry) -> Vec<u8> {
    let time = i64::try_from(entry.time()).unwrap_or(i64::MAX);
    let mut bytes = entry.transaction().raw().as_slice().to_vec();
    bytes.extend(time.to_le_bytes());
    bytes.extend(entry.priority().to_le_bytes());
    bytes
}

struct Masked<'a, W> {
    out: &'a mut W,
    key: [u8; KEY_SIZE],
    offset: usize,
}

impl<W: Write> Masked<'_, W> {
    fn write(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        mask(&mut bytes, self.key, self.offset);
        self.offset = self.offset.wrapping_add(bytes.len());
        self.out.write_all(&bytes)
    }
}

/// XORs `bytes`, which stand at `offset`, with the key.
fn mask(bytes: &mut [u8], key: [u8; KEY_SIZE], offset: usize) {
    for (byte, key) in bytes.iter_mut().zip(key.iter().cycle().skip(offset % KEY_SIZE)) {
        *byte ^= key;
    }
}

/// Begins to read a saved pool.
///
/// # Errors
/// If the bytes are not one.
pub fn read(mut bytes: Vec<u8>) -> Result<Reader, Error> {
    let mut head = bytes.as_slice();
    let at_start = |cause| Error::Integer { offset: 0, cause };
    let version = u64::from_le_bytes(*take_array(&mut head).map_err(at_start)?);
    let key = match version {
        PLAIN => None,
        KEYED => {
            let length = read_compact(&mut head).map_err(at_start)?;
            if usize::try_from(length) != Ok(KEY_SIZE) {
                return Err(Error::Key(length));
            }
            Some(*take_array(&mut head).map_err(at_start)?)
        }
        version => return Err(Error::Version(version)),
    };
    let offset = bytes.len().saturating_sub(head.len());
    if let Some(key) = key {
        mask(bytes.get_mut(offset..).unwrap_or_default(), key, offset);
    }
    let mut reader = Reader { bytes: Arc::new(bytes), offset, left: 0, failed: false };
    reader.left = reader.number()?;
    Ok(reader)
}

/// Reads a saved pool: its transactions one by one, then [`rest`](Self::rest). It ends after the first error.
#[derive(Clone, Debug)]
pub struct Reader {
    /// All bytes, no longer masked.
    bytes: Arc<Vec<u8>>,
    offset: usize,
    /// Transactions to come.
    left: u64,
    failed: bool,
}

impl Reader {
    /// How many transactions there are to come, if the bytes hold what they say.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// What follows the transactions, once they have been read.
    ///
    /// # Errors
    /// If the bytes are not a saved pool, or go on after it.
    pub fn rest(mut self) -> Result<Rest, Error> {
        // What could not be read before can't be read now.
        self.failed = false;
        for saved in self.by_ref() {
            saved?;
        }
        let mut rest = Rest::default();
        for _ in 0..self.compact()? {
            rest.priorities.push((self.txid()?, self.number()?.cast_signed()));
        }
        for _ in 0..self.compact()? {
            rest.unbroadcast.push(self.txid()?);
        }
        match self.bytes.len().saturating_sub(self.offset) {
            0 => Ok(rest),
            trailing => Err(Error::Trailing(trailing)),
        }
    }

    fn saved(&mut self) -> Result<Saved, Error> {
        let offset = self.offset;
        let (transaction, end) =
            Transaction::parse_at(&self.bytes, offset).map_err(|cause| Error::Transaction { offset, cause })?;
        self.offset = end;
        let time = u64::try_from(self.number()?.cast_signed()).unwrap_or(0);
        let priority = self.number()?.cast_signed();
        Ok(Saved { transaction: Arc::new(transaction).detached(), time, priority })
    }

    fn number(&mut self) -> Result<u64, Error> {
        self.read(|bytes| take_array(bytes).map(|bytes| u64::from_le_bytes(*bytes)))
    }

    fn compact(&mut self) -> Result<u64, Error> {
        self.read(read_compact)
    }

    fn txid(&mut self) -> Result<Txid, Error> {
        self.read(|bytes| take_array(bytes).map(|bytes| Txid::from_byte_array(*bytes)))
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Result<T, integer::Error>) -> Result<T, Error> {
        let mut rest = self.bytes.get(self.offset..).unwrap_or_default();
        let value = read(&mut rest).map_err(|cause| Error::Integer { offset: self.offset, cause })?;
        self.offset = self.bytes.len().saturating_sub(rest.len());
        Ok(value)
    }
}

impl Iterator for Reader {
    type Item = Result<Saved, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 || self.failed {
            return None;
        }
        let start = self.offset;
        let saved = self.saved();
        match saved {
            Ok(_) => self.left = self.left.saturating_sub(1),
            Err(_) => (self.offset, self.failed) = (start, true),
        }
        Some(saved)
    }
}
