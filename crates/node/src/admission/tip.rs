//! What a new tip does to pending transactions, and to those on their way.
//!
//! Blocks that are taken back give back their transactions, which are judged anew before anything else goes on: the pool
//! must not be seen without them. Only once the chain has come to rest at the tip that was told, because the coins are
//! those of its tip.

use std::sync::Arc;

use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::{BlockHash, OutPoint, Txid};
use yap_chain::block::Block;
use yap_chain::header::tree::Id;
use yap_chain::mempool::Place;
use yap_chain::transaction::Transaction;
use yap_protocol::io::TipChange;

use super::Admission;
use super::flight::{Origin, Work};
use super::judge::Reading;
use crate::chainstate::{Chainstate, Error};

/// Bytes of transactions that blocks give back, at least those of one block. Where there are more, those of the newest
/// blocks are forgotten, which nothing in older ones depends on (Core's `MAX_DISCONNECTED_TX_POOL_BYTES`).
pub const RETURNED_BYTES: usize = 20_000_000;

/// Blocks were taken back, and the pool not yet made to fit.
#[derive(Debug)]
pub(super) struct Reorganisation {
    /// The height of the highest block that was never taken back.
    fork: u32,
    /// What blocks gave back, parents before children.
    returned: Vec<Arc<Transaction>>,
    bytes: usize,
}

impl Admission {
    /// Tells that the verified tip has moved, in the order in which it did. `now` is the time in Unix seconds. After
    /// blocks were taken back, waits for the scripts of their transactions.
    ///
    /// # Errors
    /// If blocks cannot be read, or the threads that verify are gone: the ledger cannot go on.
    pub fn moved(&mut self, chain: &mut Chainstate, change: &TipChange, now: u64) -> Result<(), Error> {
        self.take_back(chain, &change.disconnected)?;
        for (hash, block) in &change.connected {
            self.connect(chain, hash, block.as_deref(), now)?;
            self.tip = *hash;
        }
        if chain.next().tip != self.tip {
            return Ok(());
        }
        if let Some(reorganisation) = &mut self.reorganisation {
            let returned = std::mem::take(&mut reorganisation.returned);
            let fork = reorganisation.fork;
            self.reorganise(chain, returned, fork, now)?;
        }
        self.due.extend(self.flight.unpark());
        self.examine_due(chain);
        Ok(())
    }

    /// Notes what blocks give back, which come newest first.
    fn take_back(&mut self, chain: &Chainstate, blocks: &[BlockHash]) -> Result<(), Error> {
        let Some(oldest) = blocks.last() else { return Ok(()) };
        let oldest = known(chain, oldest)?;
        self.tip = chain.tree().header(oldest).prev_blockhash;
        let fork = chain.tree().height(oldest).saturating_sub(1);
        let mut all = Reorganisation { fork, returned: Vec::new(), bytes: 0 };
        for hash in blocks.iter().rev() {
            self.pool.disconnect();
            if !all.is_full() {
                all.add(&*chain.read_block(known(chain, hash)?)?);
            }
        }
        if let Some(newer) = self.reorganisation.take() {
            all.fork = all.fork.min(newer.fork);
            if !all.is_full() {
                all.bytes = all.bytes.saturating_add(newer.bytes);
                all.returned.extend(newer.returned);
            }
        }
        self.reorganisation = Some(all);
        Ok(())
    }

    fn connect(&mut self, chain: &Chainstate, hash: &BlockHash, block: Option<&Block>, now: u64) -> Result<(), Error> {
        let removed = match block {
            Some(block) => self.pool.connect(block, now),
            // Nothing a block could take out: what is on its way must be checked again all the same.
            None if self.pool.is_empty() && self.pool.priorities().is_empty() => {
                self.pool.disconnect();
                return Ok(());
            }
            None => self.pool.connect(&*chain.read_block(known(chain, hash)?)?, now),
        };
        self.changed(Vec::new(), removed);
        Ok(())
    }

    /// Judges what blocks gave back, and takes out what no longer fits the chain.
    fn reorganise(
        &mut self,
        chain: &mut Chainstate,
        returned: Vec<Arc<Transaction>>,
        fork: u32,
        now: u64,
    ) -> Result<(), Error> {
        for transaction in returned {
            let id = self.flight.force(Work::new(transaction, None, Origin::Returned, now));
            self.due.push_back(id);
        }
        self.examine_due(chain);
        let mut others = Vec::new();
        while self.flight.returned() > 0 {
            let verdict = self.receive()?;
            if self.flight.work(verdict.id).is_some_and(|work| work.origin == Origin::Returned) {
                self.answer(chain, verdict);
            } else {
                others.push(verdict);
                self.pump();
            }
        }
        self.make_fit(chain, fork, now)?;
        self.reorganisation = None;
        for verdict in others {
            self.answer(chain, verdict);
        }
        Ok(())
    }

    fn make_fit(&mut self, chain: &mut Chainstate, fork: u32, now: u64) -> Result<(), Error> {
        let next = chain.next();
        let place = Place {
            height: next.height,
            median_time_past: next.median_time_past,
            ancestors: &next.ancestors,
            flags: next.flags,
        };
        let reading = Reading::new(next.coins, Txid::all_zeros());
        let coins = |outpoint: &OutPoint| reading.coin(outpoint);
        let removed = self.pool.reorganised(fork, &coins, &place, now);
        reading.finish()?;
        self.changed(Vec::new(), removed);
        Ok(())
    }
}

impl Reorganisation {
    /// Whether no block more may give back its transactions.
    fn is_full(&self) -> bool {
        self.bytes >= RETURNED_BYTES
    }

    fn add(&mut self, block: &Block) {
        let returned = block.transactions().iter().filter(|transaction| !transaction.is_coinbase());
        for transaction in returned {
            self.bytes = self.bytes.saturating_add(transaction.total_size());
            // With bytes of its own: the block goes.
            self.returned.push(Arc::new(transaction.clone()).detached());
        }
    }
}

fn known(chain: &Chainstate, hash: &BlockHash) -> Result<Id, Error> {
    chain.tree().get(hash).ok_or(Error::Index("a block of the chain has no header"))
}

#[cfg(test)]
mod tests {
    use yap_chain::bitcoin::consensus::serialize;
    use yap_chain::bitcoin::{Amount, OutPoint, ScriptBuf, Transaction as Decoded, TxIn, TxOut};
    use yap_chain::bitcoin::{absolute::LockTime, transaction::Version};
    use yap_chain::spec::Spec;

    use super::*;

    #[test]
    fn blocks_give_back_as_much_as_the_bound_says() {
        let mut block = Spec::regtest().genesis;
        let previous_output = OutPoint { txid: Txid::all_zeros(), vout: 0 };
        block.txdata.push(Decoded {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn { previous_output, ..TxIn::default() }],
            output: vec![TxOut { value: Amount::ONE_SAT, script_pubkey: ScriptBuf::new() }],
        });
        let size = block.txdata[1].total_size();
        let block = Block::parse(serialize(&block)).unwrap();
        let mut all = Reorganisation { fork: 0, returned: Vec::new(), bytes: RETURNED_BYTES - size - 1 };
        all.add(&block);
        assert!(!all.is_full(), "one below it");
        assert_eq!(all.returned.len(), 1, "a coinbase can't come back");
        all.bytes += 1;
        assert!(all.is_full());
    }
}
