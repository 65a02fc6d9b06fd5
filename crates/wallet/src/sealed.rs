//! A wallet's file: what its bytes are, and who can read them.
//!
//! ```text
//! "yap-wallet 1\n" ‖ length (u32) ‖ header (JSON) ‖ check ‖ record ‖ record ‖ …
//! record = length (u32) ‖ check of the length ‖ nonce (24) ‖ sealed bytes
//! ```
//!
//! Everything secret is sealed by XChaCha20-Poly1305. Records (addresses, transactions, labels) are sealed under the *log
//! key*, with the file's id, its epoch and their index as associated data, so that records which were moved, left out or
//! taken from elsewhere do not open. The *secret* (the words) is a box of its own. Boxes in the header say who opens what:
//!
//! | | without a passphrase | with one |
//! |---|---|---|
//! | log key | key file | key file, or passphrase |
//! | secret | key file | passphrase alone |
//!
//! So a locked wallet follows the chain with the key file, and nobody spends without the passphrase. A passphrase becomes
//! a key by Argon2id (RFC 9106). Changing it makes new boxes and leaves the log key as it is.
//!
//! The file grows at its end. A last record that is not whole was being written when the machine stopped, and is
//! dropped; any other that does not open is an error.

mod boxes;
mod error;
mod frame;
pub mod producer;

use bitcoin::BlockHash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::boxes::{Derivation, SealedBox};
pub use self::error::OpenError;
use crate::entropy::{Entropy, bytes};

/// A key that opens boxes.
pub type Key = Zeroizing<[u8; 32]>;

/// What a file begins with: the format's name and version.
pub const MAGIC: &[u8] = b"yap-wallet 1\n";

/// What files of every version begin with.
const NAME: &[u8] = b"yap-wallet ";

/// Longest header, in bytes.
const MAX_HEADER: usize = 16 << 10;

/// Longest record, in bytes, sealed.
pub const MAX_RECORD: usize = 64 << 20;

/// Longest passphrase, in bytes.
pub const MAX_PASSPHRASE: usize = 1_024;

/// What was sealed.
pub(crate) type Plain = Zeroizing<Vec<u8>>;

/// What opens a file.
#[derive(Clone, Copy)]
pub enum Opener<'a> {
    /// The content of its key file.
    KeyFile(&'a Key),
    /// Its passphrase.
    Passphrase(&'a str),
}

impl std::fmt::Debug for Opener<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::KeyFile(_) => "KeyFile(…)",
            Self::Passphrase(_) => "Passphrase(…)",
        })
    }
}

/// The head of a file: whose it is, and the boxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// Of the chain's genesis block.
    genesis: BlockHash,
    /// Of this wallet's file, for as long as it lives: 16 random bytes.
    #[serde(with = "boxes::hex")]
    id: Vec<u8>,
    /// New whenever the whole file is written anew: 16 random bytes.
    #[serde(with = "boxes::hex")]
    epoch: Vec<u8>,
    /// How the passphrase becomes a key, if there is one.
    derivation: Option<Derivation>,
    /// The log key, sealed by the key file.
    log: SealedBox,
    /// The log key, sealed by the passphrase, if there is one.
    log_by_passphrase: Option<SealedBox>,
    /// The secret, sealed by the passphrase, or by the key file while there is none.
    secret: SealedBox,
}

/// An open file, to whose end records are written.
pub(crate) struct Log {
    header: Header,
    key: Key,
    next: u64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Log").field("header", &self.header).field("next", &self.next).finish_non_exhaustive()
    }
}

/// What was read of a file.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) log: Log,
    /// What the records say.
    pub(crate) records: Vec<Plain>,
    /// Bytes up to the end of the last whole record. What follows is to be cut off.
    pub(crate) whole: usize,
    /// The secret, if what opened the file opens it too.
    pub(crate) secret: Option<Zeroizing<Vec<u8>>>,
}

impl Log {
    /// A new file, without a passphrase.
    pub(crate) fn new(genesis: BlockHash, secret: &[u8], key_file: &Key, entropy: &mut Entropy) -> Self {
        let id = bytes::<16>(entropy).to_vec();
        let key = Zeroizing::new(bytes(entropy));
        let log = boxes::seal(key_file, &id, boxes::LOG, key.as_slice(), entropy);
        let secret = boxes::seal(key_file, &id, boxes::SECRET, secret, entropy);
        let epoch = bytes::<16>(entropy).to_vec();
        let header = Header { genesis, id, epoch, derivation: None, log, log_by_passphrase: None, secret };
        Self { header, key, next: 0 }
    }

    /// Reads a file.
    pub(crate) fn open(file: &[u8], genesis: BlockHash, opener: Opener<'_>) -> Result<Read, OpenError> {
        let (header, rest) = frame::header(file)?;
        if header.genesis != genesis {
            return Err(OpenError::OtherChain { genesis: header.genesis });
        }
        let (key, kek) = header.log_key(opener)?;
        let secret = boxes::open(&kek, &header.id, boxes::SECRET, &header.secret);
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| OpenError::Header)?;
        let mut log = Self { header, key: Zeroizing::new(key), next: 0 };
        let start = file.len().saturating_sub(rest.len());
        let (records, used) = log.records(rest)?;
        Ok(Read { log, records, whole: start.saturating_add(used), secret })
    }

    /// Whether there is a passphrase.
    pub(crate) fn is_protected(&self) -> bool {
        self.header.derivation.is_some()
    }

    /// The secret, if the passphrase is right.
    pub(crate) fn secret(&self, passphrase: &str) -> Option<Zeroizing<Vec<u8>>> {
        let derivation = self.header.derivation.as_ref()?;
        let key = derivation.key(passphrase)?;
        boxes::open(&key, &self.header.id, boxes::SECRET, &self.header.secret)
    }

    /// Sets or changes the passphrase. The whole file must be written anew after that.
    pub(crate) fn protect(&mut self, passphrase: &str, secret: &[u8], entropy: &mut Entropy) -> Option<()> {
        let derivation = Derivation::new(entropy);
        let key = derivation.key(passphrase)?;
        let id = &self.header.id;
        self.header.log_by_passphrase = Some(boxes::seal(&key, id, boxes::LOG, self.key.as_slice(), entropy));
        self.header.secret = boxes::seal(&key, id, boxes::SECRET, secret, entropy);
        self.header.derivation = Some(derivation);
        Some(())
    }

    /// Another key file opens it from now on. `secret`, unless there is a passphrase, is sealed by it too. The whole file
    /// must be written anew after that.
    pub(crate) fn rekey(&mut self, key_file: &Key, secret: Option<&[u8]>, entropy: &mut Entropy) {
        let id = &self.header.id;
        self.header.log = boxes::seal(key_file, id, boxes::LOG, self.key.as_slice(), entropy);
        if let Some(secret) = secret.filter(|_| self.header.derivation.is_none()) {
            self.header.secret = boxes::seal(key_file, id, boxes::SECRET, secret, entropy);
        }
    }

    /// The bytes of one more record.
    pub(crate) fn record(&mut self, plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
        let about = self.about(self.next);
        let sealed = boxes::seal_bytes(&self.key, &about, plain, entropy);
        let framed = frame::record(&self.header.epoch, self.next, &sealed);
        self.next = self.next.saturating_add(1);
        framed
    }

    /// The bytes of a whole new file with these records.
    pub(crate) fn image(&mut self, records: &[Plain], entropy: &mut Entropy) -> Vec<u8> {
        self.header.epoch = bytes::<16>(entropy).to_vec();
        self.next = 0;
        let mut file = frame::head(&self.header);
        for plain in records {
            file.extend(self.record(plain, entropy));
        }
        file
    }

    /// The bytes of a file of its own with these records: a backup. What opens it is its passphrase, or else `key_file`,
    /// which must be kept with it.
    pub(crate) fn copy(
        &self,
        records: &[Plain],
        (key_file, secret): (&Key, Option<&[u8]>),
        entropy: &mut Entropy,
    ) -> Vec<u8> {
        let mut copy = Self { header: self.header.clone(), key: self.key.clone(), next: 0 };
        copy.rekey(key_file, secret, entropy);
        copy.image(records, entropy)
    }

    /// What a record is bound to: the file, its epoch, and the record's place.
    fn about(&self, index: u64) -> Vec<u8> {
        [self.header.id.as_slice(), &self.header.epoch, &index.to_le_bytes()].concat()
    }

    fn records(&mut self, bytes: &[u8]) -> Result<(Vec<Plain>, usize), OpenError> {
        let mut records = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((sealed, after)) = frame::next(&self.header.epoch, self.next, rest)? else { break };
            let about = self.about(self.next);
            match boxes::open_bytes(&self.key, &about, sealed) {
                Some(plain) => records.push(plain),
                // It was being written: the file was longer already, and its bytes were not there yet.
                None if after.is_empty() => break,
                None => return Err(OpenError::Damaged { record: self.next }),
            }
            rest = after;
            self.next = self.next.saturating_add(1);
        }
        Ok((records, bytes.len().saturating_sub(rest.len())))
    }
}

impl Header {
    /// The log key, and the key that opened it.
    fn log_key(&self, opener: Opener<'_>) -> Result<(Zeroizing<Vec<u8>>, Key), OpenError> {
        match opener {
            Opener::KeyFile(key) => {
                let log = boxes::open(key, &self.id, boxes::LOG, &self.log).ok_or(OpenError::WrongKeyFile)?;
                Ok((log, key.clone()))
            }
            Opener::Passphrase(passphrase) => {
                let (derivation, sealed) =
                    self.derivation.as_ref().zip(self.log_by_passphrase.as_ref()).ok_or(OpenError::NoPassphrase)?;
                let key = derivation.key(passphrase).ok_or(OpenError::Header)?;
                let log = boxes::open(&key, &self.id, boxes::LOG, sealed).ok_or(OpenError::WrongPassphrase)?;
                Ok((log, key))
            }
        }
    }
}
