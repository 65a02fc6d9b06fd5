//! What room in the last blocks cost, as far as somebody asked: each block is read once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bitcoin::BlockHash;
use yap_chain::header::tree::Id;
use yap_chain::prices::{MOST, Price};

/// Prices of the blocks that were looked at; no more than [`MOST`].
#[derive(Debug, Default)]
pub(crate) struct Prices(Mutex<BTreeMap<BlockHash, Price>>);

impl Prices {
    /// Which of these blocks are to be looked at. All others are forgotten.
    pub(crate) fn missing(&self, last: &[(Id, BlockHash)]) -> Vec<(Id, BlockHash)> {
        let mut known = self.known();
        known.retain(|hash, _| last.iter().any(|(_, one)| one == hash));
        last.iter().filter(|(_, hash)| !known.contains_key(hash)).copied().collect()
    }

    /// Keeps a block's price, if there is room: others may have asked at another tip meanwhile.
    pub(crate) fn keep(&self, block: BlockHash, price: Price) {
        let mut known = self.known();
        if known.len() < MOST {
            known.insert(block, price);
        }
    }

    /// The prices of these blocks, in their order.
    pub(crate) fn of(&self, blocks: &[(Id, BlockHash)]) -> Vec<Price> {
        let known = self.known();
        blocks.iter().map(|(_, hash)| known.get(hash).copied().unwrap_or(Price::Unknown)).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<BlockHash, Price>> {
        // A change of the map is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
