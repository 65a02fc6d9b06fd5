//! Builds block filters (BIP-0158) beside the main thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use yap_chain::block::Block;
use yap_chain::filter::{self, Filter};
use yap_chain::header::tree::Id;
use yap_chain::undo::Undo;

/// Blocks that may wait for their filter. Small: each holds its whole block in memory, and building is quick.
const QUEUE: usize = 64;

/// Filters asked for from which on a commit is due: they wait in memory, each at most some 30 kB.
const MOST_WAITING: usize = 2_000;

type Task = (Id, Arc<Block>, Arc<Undo>);

/// A thread that builds filters, and those of them that the next commit will ask for.
#[derive(Debug)]
pub(super) struct Filters {
    tasks: Option<Sender<Task>>,
    done: Receiver<(Id, Filter)>,
    /// Asked for and not yet taken: a block that is connected a second time needs no second filter.
    wanted: BTreeSet<Id>,
    built: BTreeMap<Id, Filter>,
    most_waiting: usize,
    thread: Option<JoinHandle<()>>,
}

impl Filters {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        Self::building(filter::basic, MOST_WAITING)
    }

    /// Starts the thread with another way to build filters and another bound on them.
    pub(super) fn building(
        build: impl Fn(&Block, &Undo) -> Filter + Send + 'static,
        most_waiting: usize,
    ) -> std::io::Result<Self> {
        let (tasks, queue) = bounded::<Task>(QUEUE);
        let (send, done) = unbounded();
        let thread = std::thread::Builder::new().name("filters".into()).spawn(move || {
            for (id, block, undo) in queue {
                if send.send((id, build(&block, &undo))).is_err() {
                    return;
                }
            }
        })?;
        let (tasks, thread) = (Some(tasks), Some(thread));
        Ok(Self { tasks, done, wanted: BTreeSet::new(), built: BTreeMap::new(), most_waiting, thread })
    }

    /// Asks for the filter of a block; waits while the queue is full.
    pub(super) fn request(&mut self, id: Id, block: &Arc<Block>, undo: &Arc<Undo>) {
        if self.wanted.insert(id)
            && let Some(tasks) = &self.tasks
        {
            // Fails only when the thread is gone; `take` then finds no filter and says so.
            let _ = tasks.send((id, Arc::clone(block), Arc::clone(undo)));
        }
    }

    /// The filter that was asked for; waits until it is built. `None` if the thread is gone.
    pub(super) fn take(&mut self, id: Id) -> Option<Filter> {
        while !self.built.contains_key(&id) {
            let (built, filter) = self.done.recv().ok()?;
            if self.wanted.contains(&built) {
                self.built.insert(built, filter);
            }
        }
        self.wanted.remove(&id);
        self.built.remove(&id)
    }

    /// Whether so many were asked for and not taken that a commit is due.
    pub(super) fn is_full(&self) -> bool {
        self.wanted.len() >= self.most_waiting
    }

    /// Forgets those that were not taken: of blocks that were taken back before they were verified.
    pub(super) fn forget(&mut self) {
        self.wanted.clear();
        self.built.clear();
    }
}

impl Drop for Filters {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was seen as a missing filter.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use yap_chain::bitcoin::consensus::serialize;
    use yap_chain::spec::Spec;

    use super::super::fixture::branch;
    use super::*;

    fn block() -> Arc<Block> {
        Arc::new(Block::parse(serialize(&Spec::regtest().genesis)).unwrap())
    }

    #[test]
    fn the_queue_takes_so_many_blocks_and_no_more() {
        let (gate, opened) = bounded::<()>(0);
        let (arrived, arrival) = bounded(1);
        let build = move |block: &Block, undo: &Undo| {
            let _ = arrived.try_send(());
            // Once the test has dropped its end, nothing is waited for.
            let _ = opened.recv();
            filter::basic(block, undo)
        };
        let (block, undo, ids) = (block(), Arc::default(), branch(QUEUE + 2));
        let mut filters = Filters::building(build, MOST_WAITING).unwrap();
        filters.request(ids[0], &block, &undo);
        arrival.recv().unwrap();
        // One is in hand.
        ids[1..=QUEUE].iter().for_each(|&id| filters.request(id, &block, &undo));
        let one_more = (ids[QUEUE + 1], Arc::clone(&block), Arc::clone(&undo));
        assert!(filters.tasks.as_ref().unwrap().try_send(one_more).is_err(), "one past the bound would wait");
        drop(gate);
        filters.request(ids[QUEUE + 1], &block, &undo);
        assert!(ids.iter().all(|&id| filters.take(id).is_some()));
    }

    #[test]
    fn a_commit_is_due_at_the_bound_and_not_before() {
        let (block, undo, ids) = (block(), Arc::default(), branch(MOST_WAITING));
        let mut filters = Filters::start().unwrap();
        for &id in &ids[1..] {
            filters.request(id, &block, &undo);
        }
        assert!(!filters.is_full(), "one below it");
        filters.request(ids[1], &block, &undo);
        assert!(!filters.is_full(), "the same again is no other");
        filters.request(ids[0], &block, &undo);
        assert!(filters.is_full());
        filters.take(ids[0]).unwrap();
        assert!(!filters.is_full());
    }

    #[test]
    fn a_thread_that_panics_is_noticed_and_not_waited_for() {
        let (block, undo, ids) = (block(), Arc::default(), branch(2 * QUEUE));
        let mut filters = Filters::building(|_, _| panic!("as the test wants"), MOST_WAITING).unwrap();
        ids.iter().for_each(|&id| filters.request(id, &block, &undo));
        assert!(filters.take(ids[0]).is_none());
    }
}
