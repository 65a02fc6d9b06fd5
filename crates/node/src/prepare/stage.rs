//! Threads that prepare the blocks which peers send, several at once, while the ledger connects others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use tokio::sync::mpsc;
use yap_chain::bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::spec::Spec;

use super::Prepared;

/// Preparing a block failed by a mistake in this program, which says nothing about the block. The thread goes on, and
/// whoever waits for the block must hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {0} could not be looked at, by a mistake in this program: please report it, with the block")]
pub struct Mistake(pub BlockHash);

/// What became of a block that was to be prepared.
pub type Outcome = Result<Prepared, Mistake>;

/// Prepares a block. Nothing is shared but the block, whose transactions are read whole or not at all.
type Work = dyn Fn(Arc<Block>) -> Prepared + Send + Sync;

/// Blocks that may wait to be prepared, and as many to be taken in afterwards. The protocol lets 256 be processed at a
/// time.
pub const WAITING: usize = 320;

/// The threads. They end when this is dropped.
pub struct Stage {
    blocks: Sender<Arc<Block>>,
    work: Arc<Work>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("waiting", &self.blocks.len()).finish_non_exhaustive()
    }
}

fn attempt(work: &Work, block: Arc<Block>) -> Outcome {
    let hash = block.hash();
    catch_unwind(AssertUnwindSafe(|| work(block))).map_err(|_| Mistake(hash))
}

impl Stage {
    /// Starts `threads` threads, at least one. What they have prepared comes through the receiver, in any order.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(spec: &Arc<Spec>, threads: usize) -> std::io::Result<(Self, mpsc::Receiver<Outcome>)> {
        let spec = Arc::clone(spec);
        Self::start_with(threads, Arc::new(move |block| Prepared::new(block, &spec)))
    }

    fn start_with(threads: usize, work: Arc<Work>) -> std::io::Result<(Self, mpsc::Receiver<Outcome>)> {
        let (blocks, waiting) = bounded::<Arc<Block>>(WAITING);
        let (send, prepared) = mpsc::channel(WAITING);
        for number in 0..threads.max(1) {
            let (waiting, send, work) = (waiting.clone(), send.clone(), Arc::clone(&work));
            std::thread::Builder::new().name(format!("prepare {number}")).spawn(move || {
                for block in waiting {
                    if send.blocking_send(attempt(&*work, block)).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok((Self { blocks, work }, prepared))
    }

    /// Has a block prepared. Where the threads have no room, it is done here: the block comes back.
    #[must_use = "what comes back is prepared already"]
    pub fn prepare(&self, block: Arc<Block>) -> Option<Outcome> {
        match self.blocks.try_send(block) {
            Ok(()) => None,
            Err(full) => Some(attempt(&*self.work, full.into_inner())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use yap_chain::bitcoin::consensus::serialize;

    fn genesis(spec: &Spec) -> Arc<Block> {
        Arc::new(Block::unread(serialize(&spec.genesis)).unwrap())
    }

    #[test]
    fn what_the_threads_have_no_room_for_is_prepared_at_once() {
        let spec = Arc::new(Spec::regtest());
        let (blocks, waiting) = bounded(WAITING);
        let own = Arc::clone(&spec);
        let stage = Stage { blocks, work: Arc::new(move |block| Prepared::new(block, &own)) };
        for _ in 0..WAITING {
            assert!(stage.prepare(genesis(&spec)).is_none(), "at the bound");
        }
        let here = stage.prepare(genesis(&spec)).expect("one past it comes back");
        assert!(here.unwrap().verdict.is_ok());
        assert_eq!(waiting.len(), WAITING);
        // Nor does it wait for threads that are gone.
        drop(waiting);
        assert!(stage.prepare(genesis(&spec)).is_some());
    }

    #[test]
    fn every_block_comes_back() {
        let spec = Arc::new(Spec::regtest());
        let (stage, mut prepared) = Stage::start(&spec, 2).unwrap();
        for _ in 0..10 {
            assert!(stage.prepare(genesis(&spec)).is_none());
        }
        drop(stage);
        let mut count = 0;
        while let Some(one) = prepared.blocking_recv() {
            assert!(one.unwrap().verdict.is_ok());
            count += 1;
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn a_panic_costs_neither_the_thread_nor_the_news_of_the_block() {
        let spec = Arc::new(Spec::regtest());
        let (first, own) = (AtomicBool::new(true), Arc::clone(&spec));
        let work = move |block| {
            assert!(!first.swap(false, Ordering::SeqCst), "a mistake that this test makes");
            Prepared::new(block, &own)
        };
        let (stage, mut prepared) = Stage::start_with(1, Arc::new(work)).unwrap();
        let hash = spec.genesis.block_hash();
        assert!(stage.prepare(genesis(&spec)).is_none());
        assert_eq!(prepared.blocking_recv().unwrap().unwrap_err(), Mistake(hash));
        assert!(stage.prepare(genesis(&spec)).is_none());
        assert!(prepared.blocking_recv().unwrap().is_ok(), "the thread goes on");
    }
}
