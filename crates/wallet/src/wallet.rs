//! What can be asked of a wallet.
//!
//! | module | owns |
//! |---|---|
//! | `open` | making, opening and writing it |
//! | `backup` | one file that is all of it |
//! | `keys` | words, passphrase, lock |
//! | `follow` | blocks, reorganisations, mempool, rescans |
//! | `addresses` | addresses and labels |
//! | `history` | what it has and had |
//! | `options` | what a payment may be told, and what it gives |
//! | `draft`, `pay`, `bump` | payments |
//! | `psbt`, `sign` | BIP-0174 |
//! | `message` | signed messages |

mod addresses;
mod backup;
mod bump;
mod draft;
mod follow;
mod history;
mod keys;
mod message;
mod open;
mod options;
mod pay;
mod psbt;
mod sign;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bitcoin::{BlockHash, ScriptBuf};
use yap_chain::spec::Spec;

pub use self::addresses::{AddressInfo, LabelError, MAX_LABEL, MAX_LABELS};
pub use self::backup::{BACKUP_MAGIC, BackupError};
pub use self::bump::BumpError;
pub use self::follow::{FollowError, MAX_NOTICES, Notice};
pub use self::history::{Entry, Output, Status};
pub use self::keys::KeyError;
use self::keys::Keys;
pub use self::open::{Changes, Opened};
pub use self::options::{Draft, MAX_FEE, MAX_FEERATE, MAX_RECIPIENTS, Options, PayError, Payment, Recipient};
pub use self::psbt::{Processed, PsbtError, extract, finalize};
pub use self::sign::Told;
use crate::blocks::Blocks;
use crate::entropy::Entropy;
use crate::keychain::Scripts;
use crate::ledger::{Balance, Ledger, Unspent};
use crate::record::{Birth, Record};
use crate::sealed::Log;

/// One user's keys, coins and payments. See the crate's documentation for how it is driven.
pub struct Wallet {
    spec: Arc<Spec>,
    birth: Birth,
    saved: bool,
    scripts: Scripts,
    ledger: Ledger,
    blocks: Blocks,
    rescan: Option<(u32, BlockHash)>,
    labels: BTreeMap<ScriptBuf, String>,
    keys: Keys,
    log: Log,
    /// Bytes of the file when it was last written whole, and what was appended since.
    written: (usize, usize),
    /// What changed and is not written, beside the ledger's entries.
    record: Record,
    /// Whether the whole file is to be written anew.
    rewrite: bool,
    notices: VecDeque<Notice>,
    entropy: Entropy,
    /// Unix time, as it was told last.
    now: u64,
    /// Whether no peer is connected, as it was told last.
    alone: bool,
    /// Coins and balance, at the ledger's revision and a tip.
    cache: Option<Cache>,
}

struct Cache {
    revision: u64,
    tip: u32,
    coins: Arc<Vec<Unspent>>,
    balance: Balance,
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Wallet")
            .field("chain", &self.spec.name)
            .field("tip", &self.blocks.tip())
            .field("transactions", &self.ledger.len())
            .finish_non_exhaustive()
    }
}

impl Wallet {
    /// The chain's rules.
    #[must_use]
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Tells the time: seconds since 1970. Payments are dated by it, and an unlocked wallet locks itself by it.
    pub fn set_time(&mut self, now: u64) {
        self.now = now;
        self.keys.expire(now);
    }

    /// The time, as it was told last.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.now
    }

    /// Tells whether no peer is connected. A payment that was made meanwhile is [`Status::Isolated`].
    pub fn set_alone(&mut self, alone: bool) {
        self.alone = alone;
        if !alone {
            self.ledger.all_told();
        }
    }

    /// When it was made (Unix time), and the block up to which no block has anything of it.
    #[must_use]
    pub fn birthday(&self) -> (u64, u32, BlockHash) {
        let (height, hash) = self.birth.block;
        (self.birth.created, height, hash)
    }
}
