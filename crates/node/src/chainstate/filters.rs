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

type Task = (Id, Arc<Block>, Arc<Undo>);

/// A thread that builds filters, and those of them that the next commit will ask for.
#[derive(Debug)]
pub(super) struct Filters {
    tasks: Option<Sender<Task>>,
    done: Receiver<(Id, Filter)>,
    /// Asked for and not yet taken: a block that is connected a second time needs no second filter.
    wanted: BTreeSet<Id>,
    built: BTreeMap<Id, Filter>,
    thread: Option<JoinHandle<()>>,
}

impl Filters {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (tasks, queue) = bounded::<Task>(QUEUE);
        let (send, done) = unbounded();
        let thread = std::thread::Builder::new().name("filters".into()).spawn(move || {
            for (id, block, undo) in queue {
                if send.send((id, filter::basic(&block, &undo))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { tasks: Some(tasks), done, wanted: BTreeSet::new(), built: BTreeMap::new(), thread: Some(thread) })
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

    /// How many were asked for and not taken.
    pub(super) fn waiting(&self) -> usize {
        self.wanted.len()
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
