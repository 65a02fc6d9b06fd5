//! What is kept of the peers across restarts, as changes.
//!
//! A [`ChangeSet`] says for each thing that changed what it is now, or that it is gone. Merging lets the later one win,
//! so all changes merged in order are the same as a [`snapshot`](super::State::snapshot) at their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::{Address, Group, Identity};
use crate::message::{PeerRecord, Services};
use crate::time::Timestamp;

use super::ban::{Ban, Target};

mod codec;
#[cfg(test)]
mod tests;

pub use codec::DecodeError;

pub(super) use codec::write_address;

/// Most anchors that are kept.
pub(super) const MAX_ANCHORS: usize = 8;

/// What the address book knows of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What is offered there, as far as anyone said.
    pub services: Services,
    /// When somebody last heard of it.
    pub seen: Timestamp,
    /// Who told us first.
    pub source: Group,
    /// When it was last dialled.
    pub tried: Timestamp,
    /// When a handshake with it was last done.
    pub succeeded: Timestamp,
    /// How often it was dialled in vain since.
    pub failures: u8,
    /// Where it is filed.
    pub place: Place,
}

/// Where the address book files an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among those that were only heard of, in these buckets.
    New(Vec<u16>),
    /// Among those that were connected to.
    Tried,
}

/// Changes to keep across restarts. A map's `None` means that the thing is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The secret by which addresses are filed.
    pub key: Option<[u64; 2]>,
    /// Addresses.
    pub addresses: BTreeMap<Address, Option<Known>>,
    /// What peers say of themselves, signed.
    pub records: BTreeMap<Identity, Option<Arc<PeerRecord>>>,
    /// Bans.
    pub bans: BTreeMap<Target, Option<Ban>>,
    /// The peers for blocks alone, to be dialled first.
    pub anchors: Option<Vec<Address>>,
}

impl ChangeSet {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.key.is_none() && self.anchors.is_none() && self.len() == 0
    }

    /// How many things changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len().saturating_add(self.records.len()).saturating_add(self.bans.len())
    }

    /// Adds changes that came after these.
    pub fn merge(&mut self, later: Self) {
        self.key = later.key.or(self.key);
        self.addresses.extend(later.addresses);
        self.records.extend(later.records);
        self.bans.extend(later.bans);
        if later.anchors.is_some() {
            self.anchors = later.anchors;
        }
    }

    /// Drops what is said to be gone: for a set that stands at the beginning of all changes.
    pub fn compact(&mut self) {
        self.addresses.retain(|_, known| known.is_some());
        self.records.retain(|_, record| record.is_some());
        self.bans.retain(|_, ban| ban.is_some());
    }
}
