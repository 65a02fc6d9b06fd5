//! A transaction of the wallet, and what is noted of it.

use std::sync::Arc;

use bitcoin::Txid;
use bitcoin::hex::{DisplayHex, FromHex};
use serde::{Deserialize, Serialize};
use yap_chain::transaction::Transaction;

use super::State;
use super::state::Kept;

/// A transaction of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) state: State,
    /// When the wallet learned of it: Unix time.
    pub(crate) received: u64,
    /// Place in the order in which the wallet learned of its transactions.
    pub(crate) order: u64,
    pub(crate) note: Note,
    /// Whether the wallet's file has its bytes.
    pub(crate) stored: bool,
}

/// What the user, or the wallet, noted of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    /// Who is paid, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// The transaction that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Txid>,
    /// The transaction that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<Txid>,
}

/// An entry as the wallet's file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptEntry {
    pub(crate) txid: Txid,
    /// Hexadecimal; once for each entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
    #[serde(default)]
    pub(crate) state: Kept,
    pub(crate) received: u64,
    pub(crate) order: u64,
    #[serde(default)]
    pub(crate) note: Note,
}

impl Entry {
    pub(crate) fn new(transaction: Arc<Transaction>, received: u64, order: u64) -> Self {
        let (state, note) = (State::Waiting, Note::default());
        Self { transaction, state, received, order, note, stored: false }
    }

    /// For the wallet's file; `whole`: with its bytes, also if it has them.
    pub(crate) fn keep(&self, whole: bool) -> KeptEntry {
        let bytes = || self.transaction.raw().as_slice().to_lower_hex_string();
        KeptEntry {
            txid: self.transaction.txid(),
            bytes: (whole || !self.stored).then(bytes),
            state: self.state.kept(),
            received: self.received,
            order: self.order,
            note: self.note.clone(),
        }
    }
}

impl KeptEntry {
    /// The entry; `before` is what an earlier record said of it. `None` if there are no bytes, or not those of a
    /// transaction.
    pub(crate) fn entry(self, before: Option<&Entry>) -> Option<Entry> {
        let transaction = match (&self.bytes, before) {
            (Some(hex), _) => Arc::new(Transaction::parse(Vec::from_hex(hex).ok()?).ok()?),
            (None, before) => Arc::clone(&before?.transaction),
        };
        let state = self.state.into();
        let Self { received, order, note, .. } = self;
        (transaction.txid() == self.txid).then_some(Entry { transaction, state, received, order, note, stored: true })
    }
}
