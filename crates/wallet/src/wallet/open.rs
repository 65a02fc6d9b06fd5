//! Making a wallet, opening its file, and what is to be written to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use yap_chain::spec::Spec;
use zeroize::Zeroizing;

use super::Wallet;
use super::keys::{Keys, is_bitcoin};
use crate::blocks::Blocks;
use crate::entropy::{Entropy, bytes};
use crate::keychain::{Account, Keychain, Kind, Scripts, coin_type, network};
use crate::ledger::Ledger;
use crate::record::{Birth, MAX_ENTRIES, Record};
use crate::sealed::{Key, Log, OpenError, Opener, Plain};
use crate::secp;
use crate::words::Words;

/// Blocks that may be taken in before that alone is a reason to write.
const BLOCKS_UNWRITTEN: usize = 100;

/// A file is written anew when more than this was appended, and more than the file had.
const APPENDED: usize = 1 << 20;

/// Bytes of transactions in one record, unless a single one has more. They become twice as many as text.
const PART_SIZE: usize = 8 << 20;

/// What is to be done with the wallet's file.
#[derive(Clone, PartialEq, Eq)]
pub enum Changes {
    /// Put these bytes at its end.
    Append(Vec<u8>),
    /// Put these bytes in its place, at once.
    Replace(Vec<u8>),
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Append(bytes) => write!(formatter, "Append({} bytes)", bytes.len()),
            Self::Replace(bytes) => write!(formatter, "Replace({} bytes)", bytes.len()),
        }
    }
}

/// A wallet that was read from its file.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub wallet: Wallet,
    /// Bytes of the file that are whole. What follows was being written when the machine stopped, and is to be cut off.
    pub whole: usize,
}

impl Wallet {
    /// A new wallet, with words that nobody had before. `tip`: the newest block, before which nobody can have paid it.
    ///
    /// All of it is in [`take_changes`](Self::take_changes) then.
    #[must_use]
    pub fn create(spec: &Arc<Spec>, tip: (u32, BlockHash), key_file: &Key, mut entropy: Entropy, now: u64) -> Self {
        let words = Words::from_entropy(bytes(&mut entropy));
        Self::with_words(spec, words, tip, true, (key_file, entropy, now))
    }

    /// The wallet of these words, which may have been in use. `birthday`: a block up to which no block has anything of it,
    /// such as the genesis block.
    #[must_use]
    pub fn from_words(
        spec: &Arc<Spec>,
        words: Words,
        birthday: (u32, BlockHash),
        key_file: &Key,
        (entropy, now): (Entropy, u64),
    ) -> Self {
        let mut wallet = Self::with_words(spec, words, birthday, false, (key_file, entropy, now));
        wallet.saved = true;
        wallet
    }

    fn with_words(
        spec: &Arc<Spec>,
        words: Words,
        block: (u32, BlockHash),
        fresh: bool,
        (key_file, mut entropy, now): (&Key, Entropy, u64),
    ) -> Self {
        let bitcoin = is_bitcoin(spec);
        let mut master = words.master(network(bitcoin));
        let kinds = [Kind::Taproot, Kind::Segwit, Kind::Legacy];
        let accounts: Vec<Account> =
            kinds.into_iter().map(|kind| Account::new(kind, coin_type(bitcoin), &master, secp())).collect();
        master.private_key.non_secure_erase();
        let genesis = spec.genesis.block_hash();
        let log = Log::new(genesis, &words.to_bytes(), key_file, &mut entropy);
        let mut scripts = Scripts::new(accounts.clone(), fresh);
        scripts.derive();
        let mut blocks = Blocks::new(genesis);
        blocks.push(block.0, if block.0 == 0 { genesis } else { block.1 });
        Self {
            spec: Arc::clone(spec),
            birth: Birth { created: now, block: blocks.tip(), accounts },
            saved: false,
            scripts,
            ledger: Ledger::default(),
            blocks,
            rescan: None,
            labels: BTreeMap::new(),
            keys: Keys::new(Some(words)),
            log,
            written: (0, 0),
            record: Record::default(),
            rewrite: true,
            notices: VecDeque::new(),
            entropy,
            now,
            alone: false,
            cache: None,
        }
    }

    /// Reads a wallet's file.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        spec: &Arc<Spec>,
        file: &[u8],
        opener: Opener<'_>,
        entropy: Entropy,
        now: u64,
    ) -> Result<Opened, OpenError> {
        let genesis = spec.genesis.block_hash();
        let read = Log::open(file, genesis, opener)?;
        let mut records = Vec::with_capacity(read.records.len());
        for (index, plain) in (0..).zip(&read.records) {
            let record: Record = serde_json::from_slice(plain)
                .map_err(|error| OpenError::Content { record: index, why: error.to_string() })?;
            records.push(record);
        }
        let birth = records.first_mut().and_then(|first| first.birth.take()).ok_or(OpenError::Header)?;
        let words = read.secret.as_ref().and_then(|secret| Words::from_bytes(secret));
        let mut wallet = Self {
            spec: Arc::clone(spec),
            saved: false,
            scripts: Scripts::new(birth.accounts.clone(), true),
            birth,
            ledger: Ledger::default(),
            blocks: Blocks::new(genesis),
            rescan: None,
            labels: BTreeMap::new(),
            keys: Keys::new(words),
            log: read.log,
            written: (read.whole, 0),
            record: Record::default(),
            rewrite: false,
            notices: VecDeque::new(),
            entropy,
            now,
            alone: false,
            cache: None,
        };
        for (index, record) in (0..).zip(records) {
            let wrong = || OpenError::Content { record: index, why: "a transaction without its bytes".to_owned() };
            wallet.apply(record).ok_or_else(wrong)?;
        }
        wallet.record.keychains = wallet.scripts.derive();
        if wallet.is_protected() {
            // Whoever opened it by the passphrase unlocks it as everybody does.
            wallet.keys = Keys::new(None);
        }
        Ok(Opened { wallet, whole: read.whole })
    }

    /// From now on more addresses are watched than were given: this wallet comes from a backup, after which it may have
    /// given more.
    pub fn look_far(&mut self) {
        self.scripts.look_far();
        self.record.fresh = Some(false);
        self.record.keychains.extend(self.scripts.derive());
    }

    /// What is to be written to the wallet's file; `None` if there is nothing that can't wait.
    pub fn take_changes(&mut self) -> Option<Changes> {
        let waits = !self.record.matters() && !self.ledger.is_dirty() && self.record.blocks.len() < BLOCKS_UNWRITTEN;
        if waits && !self.rewrite { None } else { self.take_all_changes() }
    }

    /// What is to be written, also if it could wait: the wallet is about to be closed.
    pub fn take_all_changes(&mut self) -> Option<Changes> {
        let (whole, appended) = self.written;
        if self.rewrite || appended > whole.max(APPENDED) {
            return Some(Changes::Replace(self.image()));
        }
        let mut record = std::mem::take(&mut self.record);
        let dirty: Vec<_> = self.ledger.take_dirty().into_iter().collect();
        let mut bytes = Vec::new();
        for part in self.parts(&dirty) {
            record.entries =
                part.iter().filter_map(|txid| self.ledger.entry(txid)).map(|entry| entry.keep(false)).collect();
            bytes.extend(self.seal(&record));
            record = Record::default();
            for txid in &part {
                self.ledger.stored(txid);
            }
        }
        if !record.is_empty() {
            bytes.extend(self.seal(&record));
        }
        self.written.1 = appended.saturating_add(bytes.len());
        (!bytes.is_empty()).then_some(Changes::Append(bytes))
    }

    fn image(&mut self) -> Vec<u8> {
        let (records, txids) = self.all_records();
        self.ledger.take_dirty();
        for txid in &txids {
            self.ledger.stored(txid);
        }
        self.record = Record::default();
        let file = self.log.image(&records, &mut self.entropy);
        self.written = (file.len(), 0);
        self.rewrite = false;
        file
    }

    /// Records that say everything, and the transactions in them.
    pub(super) fn all_records(&self) -> (Vec<Plain>, Vec<Txid>) {
        let txids: Vec<Txid> = self.ledger.in_order().into_iter().map(|entry| entry.transaction.txid()).collect();
        let mut records = vec![plain(&self.whole())];
        for part in self.parts(&txids) {
            let entries =
                part.iter().filter_map(|txid| self.ledger.entry(txid)).map(|entry| entry.keep(true)).collect();
            records.push(plain(&Record { entries, ..Record::default() }));
        }
        (records, txids)
    }

    /// Entries, parted so that a record of each part stays far below [`MAX_RECORD`](crate::MAX_RECORD).
    fn parts(&self, txids: &[Txid]) -> Vec<Vec<Txid>> {
        let mut parts: Vec<Vec<Txid>> = Vec::new();
        let mut room = 0usize;
        for txid in txids {
            let size = self.ledger.entry(txid).map_or(0, |entry| entry.transaction.total_size());
            match parts.last_mut() {
                Some(part) if part.len() < MAX_ENTRIES && size <= room => part.push(*txid),
                _ => {
                    parts.push(vec![*txid]);
                    room = PART_SIZE;
                }
            }
            room = room.saturating_sub(size);
        }
        parts
    }

    /// Everything but the ledger's entries.
    fn whole(&self) -> Record {
        let mut blocks: Vec<_> = self.blocks.newest_first().collect();
        blocks.reverse();
        Record {
            birth: Some(self.birth.clone()),
            fresh: Some(self.scripts.is_fresh()),
            saved: Some(self.saved),
            keychains: Keychain::ALL.iter().map(|keychain| (*keychain, self.scripts.whole(*keychain))).collect(),
            blocks,
            labels: self.labels.iter().map(|(script, label)| (script.clone(), Some(label.clone()))).collect(),
            locks: self.ledger.locked_coins().map(|outpoint| (*outpoint, true)).collect(),
            rescan: self.rescan.map(Some),
            ..Record::default()
        }
    }

    fn seal(&mut self, record: &Record) -> Vec<u8> {
        self.log.record(&plain(record), &mut self.entropy)
    }

    /// Takes in what a record says. `None` if a transaction's bytes are missing.
    fn apply(&mut self, record: Record) -> Option<()> {
        if record.fresh == Some(false) {
            self.scripts.look_far();
        }
        self.saved = record.saved.unwrap_or(self.saved);
        for (keychain, kept) in record.keychains {
            self.scripts.load(keychain, kept);
        }
        if let Some(height) = record.rewind {
            self.blocks.rewind(height);
        }
        for (height, hash) in record.blocks {
            // A rescan notes old blocks too.
            if height <= self.blocks.tip().0 {
                self.blocks.note(height, hash);
            } else {
                self.blocks.push(height, hash);
            }
        }
        for kept in record.entries {
            let before = self.ledger.entry(&kept.txid);
            let entry = kept.entry(before)?;
            self.ledger.restore(entry, &self.scripts);
        }
        for (script, label) in record.labels {
            match label {
                Some(label) => self.labels.insert(script, label),
                None => self.labels.remove(&script),
            };
        }
        for (outpoint, lock) in record.locks {
            self.ledger.lock_coin(outpoint, lock);
        }
        self.rescan = record.rescan.unwrap_or(self.rescan);
        Some(())
    }
}

fn plain(record: &Record) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(record).expect("a record has no map with other keys than text"))
}
