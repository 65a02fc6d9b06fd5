//! The wallet: one user's keys, coins and payments.
//!
//! A [`Wallet`] is driven: whoever owns it tells the time, the blocks and the transactions of the mempool, asks for
//! addresses and payments, and then writes [what changed](Wallet::take_changes) to a file. It has no clock, no disk and no
//! randomness of its own; [`Entropy`] comes in when it is made or opened.
//!
//! | module | owns |
//! |---|---|
//! | `words` | BIP-0039 words and the master key |
//! | `keychain` | which scripts are the wallet's own: BIP-0086, BIP-0084, BIP-0044 |
//! | `ledger` | the wallet's transactions, how each stands, and the coins that follow |
//! | `blocks` | which blocks were taken in, for the fork of a reorganisation |
//! | `record`, `sealed` | what changed, and its sealed bytes |
//! | [`producer`] | the sealed bytes of a key that signs blocks |
//! | `wallet` | what can be asked of it: addresses, balance, history, payments, PSBTs, keys |
//!
//! Of `bdk_wallet` come coin selection and descriptors' checksums, of `miniscript` (through it) the finishing of PSBTs.
//! Its own `Wallet` is not used: it knows two keychains and Bitcoin's networks only, finds out at each question which
//! transactions count (10 ms in a wallet of 1,000), and draws on global randomness to sign. The node knows which
//! transactions count, so here each has a state that blocks and mempool set.

mod blocks;
mod entropy;
mod keychain;
mod ledger;
mod record;
mod sealed;
mod wallet;
mod words;

use std::sync::OnceLock;

use bitcoin::secp256k1::{All, Secp256k1};

pub use self::blocks::{EVERY, RECENT};
pub use self::entropy::Entropy;
pub use self::keychain::{Exhausted, Keychain, Kind, LOOK_AHEAD, LOOK_AHEAD_CHANGE, Origin, Place};
pub use self::ledger::{Balance, InBlock, MAX_LOCKED, Unspent};
pub use self::sealed::{Key, MAGIC, MAX_PASSPHRASE, MAX_RECORD, OpenError, Opener, producer};
pub use self::wallet::{
    AddressInfo, BACKUP_MAGIC, BackupError, BumpError, Changes, Draft, Entry, FollowError, KeyError, LabelError,
    MAX_FEE, MAX_FEERATE, MAX_LABEL, MAX_LABELS, MAX_NOTICES, MAX_RECIPIENTS, Notice, Opened, Options, Output,
    PayError, Payment, Processed, PsbtError, Recipient, Status, Told, Wallet, extract, finalize,
};
pub use self::words::{Error as WordsError, NEW_WORDS, Words};
pub use bitcoin;

/// The tables of secp256k1, made once. Nothing in them depends on the keys that are used.
fn secp() -> &'static Secp256k1<All> {
    static SECP: OnceLock<Secp256k1<All>> = OnceLock::new();
    SECP.get_or_init(Secp256k1::new)
}
