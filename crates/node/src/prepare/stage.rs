//! Threads that prepare the blocks which peers send, several at once, while the ledger connects others.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use tokio::sync::mpsc;
use yap_chain::block::Block;
use yap_chain::spec::Spec;

use super::Prepared;

/// Blocks that may wait to be prepared, and as many to be taken in afterwards. The protocol lets 256 be processed at a
/// time.
pub const WAITING: usize = 320;

/// The threads. They end when this is dropped.
#[derive(Debug)]
pub struct Stage {
    blocks: Sender<Arc<Block>>,
    spec: Arc<Spec>,
}

impl Stage {
    /// Starts `threads` threads, at least one. What they have prepared comes through the receiver, in any order.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(spec: &Arc<Spec>, threads: usize) -> std::io::Result<(Self, mpsc::Receiver<Prepared>)> {
        let (blocks, waiting) = bounded::<Arc<Block>>(WAITING);
        let (send, prepared) = mpsc::channel(WAITING);
        for number in 0..threads.max(1) {
            let (waiting, send, spec) = (waiting.clone(), send.clone(), Arc::clone(spec));
            std::thread::Builder::new().name(format!("prepare {number}")).spawn(move || {
                for block in waiting {
                    if send.blocking_send(Prepared::new(block, &spec)).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok((Self { blocks, spec: Arc::clone(spec) }, prepared))
    }

    /// Has a block prepared. Where the threads have no room, it is done here: the block comes back.
    #[must_use = "what comes back is prepared already"]
    pub fn prepare(&self, block: Arc<Block>) -> Option<Prepared> {
        match self.blocks.try_send(block) {
            Ok(()) => None,
            Err(full) => Some(Prepared::new(full.into_inner(), &self.spec)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yap_chain::bitcoin::consensus::serialize;

    fn genesis(spec: &Spec) -> Arc<Block> {
        Arc::new(Block::unread(serialize(&spec.genesis)).unwrap())
    }

    #[test]
    fn what_the_threads_have_no_room_for_is_prepared_at_once() {
        let spec = Arc::new(Spec::regtest());
        let (blocks, waiting) = bounded(WAITING);
        let stage = Stage { blocks, spec: Arc::clone(&spec) };
        for _ in 0..WAITING {
            assert!(stage.prepare(genesis(&spec)).is_none(), "at the bound");
        }
        let here = stage.prepare(genesis(&spec)).expect("one past it comes back");
        assert!(here.verdict.is_ok());
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
            assert!(one.verdict.is_ok());
            count += 1;
        }
        assert_eq!(count, 10);
    }
}
