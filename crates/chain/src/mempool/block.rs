//! What blocks do to the pool, connected and taken back.
//!
//! A new block: [`Mempool::connect`]. When blocks are taken back, in this order:
//! 1. [`Mempool::disconnect`] for each, and [`Mempool::connect`] for each block of the new branch;
//! 2. [`Mempool::check_returned`], scripts, [`Mempool::insert`] for each transaction of the old branch but coinbases,
//!    the oldest block's first;
//! 3. [`Mempool::reorganised`], which takes out what no longer fits.
//!
//! In between, the pool may have transactions whose parents it does not have: no template is to be made of it then.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{OutPoint, Txid};

use super::Mempool;
use super::check::Place;
use super::entry::{Entry, Reason, Removed, UNCONFIRMED, Unfit};
use super::graph::Leaving;
use super::nodes::Slot;
use crate::block::Block;
use crate::coin::Coin;
use crate::transaction::lock::{self, Ancestors};
use crate::transaction::{self, Transaction};

impl Mempool {
    /// Takes out what `block`, which is connected now, has, and what conflicts with it, with descendants. `now` is the
    /// time in Unix seconds.
    pub fn connect(&mut self, block: &Block, now: u64) -> Vec<Removed> {
        self.generation = self.generation.wrapping_add(1);
        self.floor.advance(&self.limits, self.usage(), now);
        self.floor.block(now);
        let mut confirmed = Leaving::default();
        for transaction in block.transactions() {
            self.priorities.remove(&transaction.txid());
            let slot = self.nodes.by_txid(&transaction.txid());
            slot.and_then(|slot| self.nodes.spot(slot)).into_iter().for_each(|spot| confirmed.add(spot));
        }
        let mut removed = self.take_out(&confirmed, |_| Reason::Confirmed);
        let conflicts = self.conflicts(block.transactions());
        let mut leaving = Leaving::default();
        for (slot, _) in &conflicts {
            self.nodes.spot(*slot).into_iter().for_each(|spot| leaving.add(spot));
        }
        let with: BTreeMap<Slot, Txid> = conflicts.into_iter().collect();
        removed.extend(self.take_out(&leaving, |slot| match with.get(&slot) {
            Some(with) => Reason::Conflict { with: *with },
            None => Reason::Reorganised(Unfit::Ancestor),
        }));
        removed
    }

    /// Transactions that spend what a block's do, and descendants, each with the block's.
    fn conflicts(&mut self, transactions: &[Transaction]) -> Vec<(Slot, Txid)> {
        let mut conflicts = Vec::new();
        let mut leaving = Leaving::default();
        for transaction in transactions {
            let spent = transaction.decoded().input.iter().map(|input| &input.previous_output);
            for slot in spent.filter_map(|outpoint| self.nodes.spender(outpoint)).collect::<Vec<_>>() {
                let Some(spot) = self.nodes.spot(slot) else { continue };
                self.nodes.entry(slot).into_iter().for_each(|entry| {
                    self.priorities.remove(&entry.txid());
                });
                let before = leaving.of(spot.cluster);
                leaving.add_with_descendants(&self.graph, spot);
                let new = leaving.of(spot.cluster) & !before;
                let members = self.graph.cluster(spot.cluster).into_iter().flat_map(|cluster| cluster.members(new));
                conflicts.extend(members.map(|slot| (slot, transaction.txid())));
            }
        }
        conflicts
    }

    /// Notes that a block was taken back: candidates checked before are so no longer.
    pub fn disconnect(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// What [`reorganised`](Self::reorganised) will ask for if blocks above the height `fork` were taken back.
    pub fn doubtful(&self, fork: u32) -> impl Iterator<Item = &OutPoint> {
        let entries = self.nodes.by_age().filter_map(|slot| self.nodes.entry(slot));
        entries.flat_map(move |entry| {
            let inputs = entry.inputs().zip(entry.spent.iter());
            inputs.filter(move |(outpoint, coin)| self.is_doubtful(outpoint, coin, fork)).map(|(outpoint, _)| outpoint)
        })
    }

    /// Whether a coin may have gone: not one of the pool, nor of the blocks that both branches have.
    fn is_doubtful(&self, outpoint: &OutPoint, coin: &Coin, fork: u32) -> bool {
        coin.height > fork && !self.contains_txid(&outpoint.txid)
    }

    /// Takes out what no longer fits after blocks above the height `fork` were taken back, and then what there is no
    /// room for. `coins` gives what the chain has unspent now, at least where [`doubtful`](Self::doubtful) asks.
    pub fn reorganised(
        &mut self,
        fork: u32,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
        now: u64,
    ) -> Vec<Removed> {
        let mut leaving = Leaving::default();
        let mut unfit: BTreeMap<Slot, Unfit> = BTreeMap::new();
        for slot in self.nodes.by_age().collect::<Vec<_>>() {
            let Some(entry) = self.nodes.entry(slot) else { continue };
            match self.still_fits(entry, fork, coins, place) {
                Ok(None) => {}
                Ok(Some(spent)) => self.nodes.amend(slot, |entry| entry.spent = spent),
                Err(why) => {
                    unfit.insert(slot, why);
                    let spot = self.nodes.spot(slot);
                    spot.into_iter().for_each(|spot| leaving.add_with_descendants(&self.graph, spot));
                }
            }
        }
        let why = |slot| Reason::Reorganised(unfit.get(&slot).copied().unwrap_or(Unfit::Ancestor));
        let mut removed = self.take_out(&leaving, why);
        removed.extend(self.evict(now));
        removed
    }

    /// Whether the next block may have a transaction; what it spends, if that is known otherwise than it was.
    fn still_fits(
        &self,
        entry: &Arc<Entry>,
        fork: u32,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
    ) -> Result<Option<Arc<[Coin]>>, Unfit> {
        let transaction = entry.transaction();
        lock::absolute(transaction, place.height, place.median_time_past).map_err(|_| Unfit::NotFinal)?;
        let mut spent = entry.spent.to_vec();
        for (outpoint, coin) in entry.inputs().zip(&mut spent) {
            if self.contains_txid(&outpoint.txid) {
                // It may have been in a block that was taken back: a relative lock begins anew.
                coin.height = UNCONFIRMED;
            } else if self.is_doubtful(outpoint, coin, fork) {
                *coin = coins(outpoint).ok_or(Unfit::CoinGone)?;
            }
            let depth = place.height.saturating_sub(coin.height);
            if coin.coinbase && depth < transaction::COINBASE_MATURITY {
                return Err(Unfit::Immature);
            }
            if coin.height == UNCONFIRMED {
                coin.height = place.height;
            }
        }
        lock::relative(transaction, &spent, place.height, place.median_time_past, place.ancestors)
            .map_err(|_| Unfit::NotFinal)?;
        for coin in spent.iter_mut().filter(|coin| coin.height == place.height) {
            coin.height = UNCONFIRMED;
        }
        Ok((spent != *entry.spent).then(|| spent.into()))
    }
}
