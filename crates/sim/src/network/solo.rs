//! One ledger in a world of its own, under real time: what a single node needs to be a whole peer.
//!
//! The same rules, pool and chain selection as every node of a simulated network has; its owner gives the time and feeds
//! the blocks and transactions. Nothing is on disk, and every block stays in memory.

use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint, Wtxid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::header::tree::Id;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_protocol::Ledger as _;
use yap_protocol::io::{Judged, PoolChange, Processed, TipChange};

use super::forge::Draft;
use super::ledger::Ledger;
use super::world::World;

/// What came of a block.
#[derive(Debug)]
pub struct Step {
    /// What became of it.
    pub outcome: Processed,
    /// How the chain that is connected changed.
    pub tip: Option<TipChange>,
    /// How the mempool changed.
    pub pool: PoolChange,
}

/// One ledger in a world of its own.
#[derive(Debug)]
pub struct Solo {
    world: World,
    ledger: Ledger,
}

impl Solo {
    /// The genesis block alone.
    #[must_use]
    pub fn new(spec: Arc<Spec>, seed: u64) -> Self {
        let world = World::new(spec, seed);
        let ledger = Ledger::new(&world, world.tree().genesis());
        Self { world, ledger }
    }

    /// The chain and the mempool.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The same, for the node: it adds headers.
    pub const fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Takes in a block; `now` is the wall clock as headers carry it.
    pub fn process(&mut self, block: &Arc<Block>, now: u32) -> Step {
        let super::ledger::Step { outcome, tip, pool } = self.ledger.process(block, &mut self.world, now);
        Step { outcome, tip, pool }
    }

    /// Judges a transaction, together with a parent that pays too little alone if one is given.
    pub fn judge(
        &mut self,
        transaction: &Arc<Transaction>,
        parent: Option<&Arc<Transaction>>,
        now: u32,
    ) -> (Vec<(Wtxid, Judged)>, PoolChange) {
        self.ledger.judge(transaction, parent, &mut self.world, now)
    }

    /// A stored block.
    #[must_use]
    pub fn read(&self, hash: &BlockHash) -> Option<Arc<Block>> {
        self.ledger.read(hash, &self.world)
    }

    /// The coin at `outpoint`, if the connected chain has it and has not spent it.
    #[must_use]
    pub fn unspent(&self, outpoint: &OutPoint) -> Option<Coin> {
        self.world.view(self.tip()).unspent(outpoint).cloned()
    }

    /// Median time past of the tip.
    #[must_use]
    pub fn median(&self) -> u32 {
        self.world.view(self.tip()).median()
    }

    /// The block that a draft makes on the tip. Nothing is checked.
    #[must_use]
    pub fn seal(&self, draft: &Draft<'_>) -> Block {
        draft.seal(self.ledger.tree(), self.ledger.tip())
    }

    /// The tip, as the world names it.
    fn tip(&self) -> Id {
        self.world.tree().get(&self.ledger.tip_hash()).expect("what is connected is known")
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{Amount, ScriptBuf};

    use super::*;

    #[test]
    fn a_ledger_of_its_own_takes_blocks_and_reads_them_back() {
        let mut solo = Solo::new(Arc::new(Spec::regtest()), 1);
        let payout = [ScriptBuf::from_bytes(vec![0x51])];
        for salt in 0..3 {
            let draft = Draft { transactions: &[], payout: &payout, fees: Amount::ZERO, time: 0, salt };
            let block = Arc::new(solo.seal(&draft));
            let step = solo.process(&block, block.header().time);
            assert_eq!(step.outcome, Processed::Stored);
            assert_eq!(step.tip.expect("the tip moved").connected.len(), 1);
            assert_eq!(solo.read(&block.hash()).expect("it is stored").bytes(), block.bytes());
            let outpoint = OutPoint { txid: block.transactions()[0].txid(), vout: 0 };
            assert!(solo.unspent(&outpoint).is_some());
            assert_eq!(solo.process(&block, block.header().time).outcome, Processed::Known);
        }
        assert_eq!(solo.ledger().height(), 3);
    }
}
