//! A compact block on its way to being whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::block::Header;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use super::{Error, Extras, Key, MAX_TRANSACTIONS, is_genuine};
use crate::ledger::Ledger;
use crate::message::{CompactBlock, ShortId};

/// One transaction of the block.
#[derive(Clone, Debug)]
enum Place {
    /// It is not known.
    Missing,
    /// Two transactions of ours have its short id, so neither is taken.
    Ambiguous,
    /// It is known; `pooled` says whether from the mempool.
    Known { transaction: Arc<Transaction>, pooled: bool },
}

/// A block of which some transactions are missing.
#[derive(Clone, Debug)]
pub struct Partial {
    header: Header,
    places: Vec<Place>,
}

/// A block that was rebuilt and is what its header commits to.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The block.
    pub block: Arc<Block>,
    /// Places of transactions that were not in our mempool, and so may not be in a peer's.
    pub unpooled: BTreeSet<u16>,
}

/// Whether every place is named once, and there are neither none nor too many.
fn is_well_formed(message: &CompactBlock) -> bool {
    let count = message.short_ids.len().saturating_add(message.prefilled.len());
    let grow = message.prefilled.windows(2).all(|pair| matches!(pair, [a, b] if a.index < b.index));
    let fit = message.prefilled.last().is_none_or(|last| usize::from(last.index) < count);
    (1..=MAX_TRANSACTIONS).contains(&count) && grow && fit
}

impl Partial {
    /// Finds what is known of a compact block in the mempool and among `extras`. `seed` is unpredictable for peers.
    ///
    /// # Errors
    /// [`Error::Malformed`], or [`Error::Collision`].
    pub fn new(message: &CompactBlock, ledger: &dyn Ledger, extras: &Extras, seed: u64) -> Result<Self, Error> {
        if !is_well_formed(message) {
            return Err(Error::Malformed);
        }
        let count = message.short_ids.len().saturating_add(message.prefilled.len());
        let mut places = vec![Place::Missing; count];
        for prefilled in &message.prefilled {
            if let Some(place) = places.get_mut(usize::from(prefilled.index)) {
                *place = Place::Known { transaction: Arc::clone(&prefilled.transaction), pooled: false };
            }
        }
        let open = places.iter().enumerate().filter(|(_, place)| matches!(place, Place::Missing));
        let mut wanted = HashMap::with_capacity_and_hasher(message.short_ids.len(), FixedState::with_seed(seed));
        for ((index, _), id) in open.zip(&message.short_ids) {
            wanted.insert(*id, index);
        }
        if wanted.len() != message.short_ids.len() {
            return Err(Error::Collision);
        }
        let key = Key::new(&message.header, message.nonce);
        let mut partial = Self { header: message.header, places };
        partial.search(&wanted, key, ledger, extras);
        Ok(partial)
    }

    fn search(&mut self, wanted: &HashMap<ShortId, usize, FixedState>, key: Key, ledger: &dyn Ledger, extras: &Extras) {
        let mut left = wanted.len();
        let pool = ledger.pool_by_feerate().map(|pooled| (pooled.transaction, true));
        let extras = extras.iter().map(|extra| (Arc::clone(extra), false));
        for (transaction, pooled) in pool.chain(extras) {
            // To look on for a second transaction with the same short id would cost more than it is worth, as it does
            // Bitcoin Core: the Merkle root finds it.
            if left == 0 {
                return;
            }
            let Some(place) =
                wanted.get(&key.short_id(&transaction.wtxid())).and_then(|index| self.places.get_mut(*index))
            else {
                continue;
            };
            match place {
                Place::Missing => {
                    *place = Place::Known { transaction, pooled };
                    left = left.saturating_sub(1);
                }
                Place::Known { transaction: other, .. } if other.wtxid() != transaction.wtxid() => {
                    *place = Place::Ambiguous;
                    left = left.saturating_add(1);
                }
                Place::Known { .. } | Place::Ambiguous => {}
            }
        }
    }

    /// Places of the transactions that are missing, as `getblocktxn` asks for them.
    #[must_use]
    pub fn missing(&self) -> Vec<u16> {
        let places = (0..=u16::MAX).zip(&self.places);
        places.filter(|(_, place)| !matches!(place, Place::Known { .. })).map(|(index, _)| index).collect()
    }

    /// The block, with the transactions that were [`missing`](Self::missing). `witnesses`: whether BIP-0141 is in force.
    ///
    /// # Errors
    /// [`Error::Count`], or [`Error::Mismatch`].
    pub fn complete(&self, sent: &[Arc<Transaction>], witnesses: bool) -> Result<Whole, Error> {
        let asked = self.missing().len();
        if asked != sent.len() {
            return Err(Error::Count { asked, sent: sent.len() });
        }
        let mut sent = sent.iter();
        let mut unpooled = BTreeSet::new();
        let mut transactions = Vec::with_capacity(self.places.len());
        for (index, place) in (0..=u16::MAX).zip(&self.places) {
            let (transaction, pooled) = match place {
                Place::Known { transaction, pooled } => (transaction, *pooled),
                Place::Missing | Place::Ambiguous => match sent.next() {
                    Some(transaction) => (transaction, false),
                    None => return Err(Error::Mismatch),
                },
            };
            if !pooled && index > 0 {
                unpooled.insert(index);
            }
            transactions.push(Transaction::clone(transaction));
        }
        let block = Block::assemble(self.header, transactions);
        if is_genuine(&block, witnesses) {
            Ok(Whole { block: Arc::new(block), unpooled })
        } else {
            Err(Error::Mismatch)
        }
    }
}
