//! A chain and a mempool whose verdicts are given by the bytes: headers are judged truly, blocks and transactions as told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Amount, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::header;
use yap_chain::header::tree::{Accepted, Id, Status, Tree};
use yap_chain::transaction::Transaction;
use yap_protocol::io::{Departure, Judged, PoolChange, Processed, Removed, TipChange};
use yap_protocol::ledger::Pooled;

use super::fixture::Fixture;

/// What came of a block.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) outcome: Processed,
    pub(super) tip: Option<TipChange>,
    pub(super) pool: PoolChange,
}

#[derive(Debug)]
pub(super) struct Ledger {
    tree: Tree,
    tip: Id,
    /// Blocks that came, with all before them.
    linked: BTreeSet<Id>,
    /// Blocks that came.
    blocks: BTreeMap<Id, Arc<Block>>,
    pool: BTreeMap<Wtxid, Pooled>,
    by_txid: BTreeMap<Txid, Wtxid>,
    sequence: u64,
}

impl Ledger {
    pub(super) fn new(fixture: &Fixture) -> Self {
        let tree = fixture.tree.clone();
        let linked: BTreeSet<Id> = tree.iter().collect();
        let blocks = linked.iter().filter_map(|id| Some((*id, Arc::clone(fixture.blocks.get(&tree.hash(*id))?))));
        let (tip, blocks) = (tree.best(), blocks.collect());
        Self { tree, tip, linked, blocks, pool: BTreeMap::new(), by_txid: BTreeMap::new(), sequence: 0 }
    }

    pub(super) fn read(&self, hash: &bitcoin::BlockHash) -> Option<Arc<Block>> {
        self.blocks.get(&self.tree.get(hash)?).cloned()
    }

    /// Takes in a block, and finds what `verdict` says if there is no other reason.
    pub(super) fn process(&mut self, block: &Arc<Block>, verdict: u8, now: u32) -> Step {
        let mut step = Step { outcome: Processed::Failed, tip: None, pool: PoolChange::default() };
        let Ok(id) = self.tree.accept_hashed(block.header(), block.hash(), now).map(|accepted| accepted.id()) else {
            return step;
        };
        let (before, forged) = (self.tip, !yap_protocol::compact::is_genuine(block, true));
        step.outcome = match verdict {
            0 => return step,
            1 => Processed::Invalid { reason: "bad-txnmrklroot", mutated: true },
            _ if forged => Processed::Invalid { reason: "bad-txnmrklroot", mutated: true },
            2 => {
                self.tree.invalidate(&block.hash());
                Processed::Invalid { reason: "bad-cb-amount", mutated: false }
            }
            _ if self.tree.status(id) != Status::Valid => Processed::Invalid { reason: "bad-prevblk", mutated: false },
            _ if self.blocks.contains_key(&id) => Processed::Known,
            _ => {
                self.blocks.insert(id, Arc::clone(block));
                Processed::Stored
            }
        };
        self.activate();
        if self.tip != before {
            step.tip = Some(self.moved(before, &mut step.pool));
        }
        step
    }

    /// Moves the tip to the best block that has come with all before it.
    fn activate(&mut self) {
        for id in self.tree.iter().skip(1) {
            let linked = self.tree.parent(id).is_some_and(|parent| self.linked.contains(&parent));
            if linked && self.blocks.contains_key(&id) {
                self.linked.insert(id);
            }
        }
        let valid = |id: &Id| self.tree.status(*id) == Status::Valid;
        let mut best = self.tree.genesis();
        // Of equal ones the tip stays.
        for id in std::iter::once(self.tip).chain(self.linked.iter().copied()).filter(valid) {
            if self.tree.work(id) > self.tree.work(best) {
                best = id;
            }
        }
        self.tip = best;
    }

    fn moved(&mut self, before: Id, pool: &mut PoolChange) -> TipChange {
        let path = self.tree.path(before, self.tip);
        let connected = path.connect.iter().map(|id| (self.tree.hash(*id), self.blocks.get(id).cloned())).collect();
        let disconnected = path.disconnect.iter().map(|id| self.tree.hash(*id)).collect();
        for id in &path.connect {
            let Some(block) = self.blocks.get(id).cloned() else { continue };
            for transaction in block.transactions() {
                self.remove(&transaction.wtxid(), Departure::Confirmed, pool);
            }
        }
        TipChange { disconnected, connected }
    }

    pub(super) fn remove(&mut self, wtxid: &Wtxid, why: Departure, pool: &mut PoolChange) {
        if let Some(pooled) = self.pool.remove(wtxid) {
            self.by_txid.remove(&pooled.transaction.txid());
            pool.removed.push(Removed { transaction: pooled.transaction, why });
        }
    }

    /// Removes the oldest pending transaction.
    pub(super) fn evict(&mut self, why: Departure) -> PoolChange {
        let mut change = PoolChange::default();
        let oldest = self.pool.values().min_by_key(|pooled| pooled.sequence).map(|pooled| pooled.transaction.wtxid());
        if let Some(wtxid) = oldest {
            self.remove(&wtxid, why, &mut change);
        }
        change
    }

    /// Finds what `verdict` says of a transaction.
    pub(super) fn judge(&mut self, transaction: &Arc<Transaction>, verdict: u8, change: &mut PoolChange) -> Judged {
        let (wtxid, txid) = (transaction.wtxid(), transaction.txid());
        let witness = verdict.is_multiple_of(2) && transaction.has_witness();
        match verdict % 10 {
            _ if self.by_txid.contains_key(&txid) => Judged::Known,
            0 => Judged::MissingInputs(
                transaction.decoded().input.iter().map(|input| input.previous_output).take(3).collect(),
            ),
            1 => Judged::LowFee { reason: "min relay fee not met" },
            2 => Judged::Policy { reason: "dust", witness },
            3 => Judged::Invalid { reason: "mempool-script-verify-flag-failed", witness },
            4 => Judged::Failed,
            _ => {
                self.sequence += 1;
                let pooled = Pooled {
                    transaction: Arc::clone(transaction),
                    fee: Amount::from_sat(u64::from(verdict) * 100),
                    vsize: transaction.weight().div_ceil(4) as u64,
                    sequence: self.sequence,
                };
                self.pool.insert(wtxid, pooled);
                self.by_txid.insert(txid, wtxid);
                change.added.push(Arc::clone(transaction));
                Judged::Accepted
            }
        }
    }
}

impl yap_protocol::Ledger for Ledger {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn accept_header(&mut self, header: &Header, now: u32) -> Result<Accepted, header::Error> {
        self.tree.accept(header, now)
    }

    fn tip(&self) -> Id {
        self.tip
    }

    fn has_block(&self, id: Id) -> bool {
        self.blocks.contains_key(&id)
    }

    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.pool.get(wtxid).cloned()
    }

    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.pooled(self.by_txid.get(txid)?)
    }

    fn pool_len(&self) -> usize {
        self.pool.len()
    }

    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        let mut all: Vec<Pooled> = self.pool.values().cloned().collect();
        all.sort_by_key(|pooled| pooled.sequence);
        Box::new(all.into_iter())
    }

    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        let mut all: Vec<Pooled> = self.pool.values().cloned().collect();
        all.sort_by_key(|pooled| std::cmp::Reverse((pooled.feerate(), pooled.sequence)));
        Box::new(all.into_iter())
    }

    fn min_feerate(&self) -> u64 {
        1000
    }
}
