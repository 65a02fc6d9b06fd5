//! What a record of the wallet's file says: what changed since the one before.
//!
//! A wallet is what its records say one after the other; [`fold`](crate::Wallet::open) is the only way in which one is
//! loaded, so that a restart can't differ from having gone on.

use bitcoin::{BlockHash, OutPoint, ScriptBuf};
use serde::{Deserialize, Serialize};

use crate::keychain::{Account, Keychain, Revealed};
use crate::ledger::KeptEntry;

/// Transactions in one record at most; a whole wallet is as many records as it takes.
pub(crate) const MAX_ENTRIES: usize = 500;

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// What never changes; in the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) birth: Option<Birth>,
    /// Whether nobody had these keys before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fresh: Option<bool>,
    /// Whether the user has seen the words, or made a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) saved: Option<bool>,
    /// Addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keychains: Vec<(Keychain, Revealed)>,
    /// The wallet's chain goes back to this height before `blocks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rewind: Option<u32>,
    /// Blocks that were taken in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) blocks: Vec<(u32, BlockHash)>,
    /// Transactions, each with all that is known but its bytes, if an earlier record has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<KeptEntry>,
    /// Labels; none takes one back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<(ScriptBuf, Option<String>)>,
    /// Coins that the user keeps from being spent (`true`), or not any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) locks: Vec<(OutPoint, bool)>,
    /// How far a rescan has come; `Some(None)` when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "twice")]
    pub(crate) rescan: Option<Option<(u32, BlockHash)>>,
}

/// What never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Birth {
    /// Unix time at which the wallet was made.
    pub(crate) created: u64,
    /// Blocks up to this one have nothing of the wallet's.
    pub(crate) block: (u32, BlockHash),
    /// Public keys.
    pub(crate) accounts: Vec<Account>,
}

impl Record {
    /// Whether there is anything but blocks and how far a rescan is: those can be asked for again.
    pub(crate) fn matters(&self) -> bool {
        let rescan = self.rescan.filter(Option::is_some);
        *self != Self { blocks: self.blocks.clone(), rescan, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An `Option` in an `Option`: what is not there is not the same as nothing.
mod twice {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::option_option, reason = "that is what this is about")]
    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    #[expect(clippy::option_option, reason = "that is what this is about")]
    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}
