//! The threads that verify scripts.
//!
//! A [`Batch`] is the jobs of one block, or of one transaction of the mempool; a [`Verdict`] answers it. Threads take
//! runs of inputs from the oldest batches, across their borders, as many as the engine's appetite and a fair share of
//! what waits allow; so all of them work on one large transaction as well as on many small blocks, and a slow block
//! keeps no thread from the next one. Verdicts come in the order in which they were reached.
//!
//! | what | is |
//! |---|---|
//! | a failure | the first input of the first transaction, in the batch's order, that does not hold: however the batch was cut, and whichever thread found another before |
//! | after a failure | what follows it in its batch is dropped, what precedes it is still verified; other batches take no notice |
//! | a panic of the engine | [`Reason::Engine`](crate::Reason::Engine) for the run that caused it; the thread goes on |
//! | a panic of a thread itself, which would be a bug here | all threads end, and with them the verdicts: receiving gives an error |
//! | too much work | [`Pool::submit`] waits, [`Pool::try_submit`] gives the batch back |
//! | verdicts that nobody takes | at most [`VERDICTS`] wait; then the threads do, and in the end `submit` |
//!
//! Dropping the pool drops what waits. Threads end once they have verified the run in their hands.

mod progress;
mod queue;
mod worker;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use yap_chain::verify::Job;

use crate::cache::Cache;
use crate::engine::{Engine, Failure};
use queue::Queue;

/// Verdicts that may wait to be received.
pub const VERDICTS: usize = 1024;

/// Inputs that may be waiting or in work, unless [`Options::inputs`] says otherwise. Some 16 full blocks, enough to
/// keep the threads busy while coins are read from the disk; with [`BYTES_PER_INPUT`] at most 100 MB of transactions.
pub const INPUTS: usize = 100_000;

/// A transaction that is larger than this for each of its inputs counts as more inputs, so that the bound on inputs is
/// one on memory as well. Usual ones have 100 to 300 bytes.
pub const BYTES_PER_INPUT: usize = 1000;

/// Jobs whose verdict is one.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whoever submits chooses it; the verdict bears it.
    pub id: u64,
    /// What to verify.
    pub jobs: Vec<Job>,
    /// Whether to put the transactions into the cache if all of them hold: those of the mempool. They are not looked up
    /// there first.
    pub remember: bool,
}

impl Batch {
    /// Jobs that are not to be remembered.
    #[must_use]
    pub fn new(id: u64, jobs: Vec<Job>) -> Self {
        Self { id, jobs, remember: false }
    }

    /// What it takes of the pool's bound, in inputs: of each job its own or those that its bytes count for, at least
    /// one; and at least one in all.
    #[must_use]
    pub fn size(&self) -> usize {
        let size = |job: &Job| progress::positions(job).max(job.transaction.as_slice().len() / BYTES_PER_INPUT);
        self.jobs.iter().map(size).fold(0, usize::saturating_add).max(1)
    }
}

/// The answer to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The batch's.
    pub id: u64,
    /// Whether every input holds, or the first that does not.
    pub result: Result<(), Failure>,
}

/// How a pool is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads; 0: one per core.
    pub threads: usize,
    /// Inputs that may be waiting or in work. A larger batch is taken when there is no other.
    pub inputs: usize,
    /// Transactions that need not be verified again.
    pub cache: Option<Arc<Cache>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: 0, inputs: INPUTS, cache: None }
    }
}

/// A batch for which there was no room.
#[derive(Debug, thiserror::Error)]
#[error("the script queue is full")]
pub struct Full(pub Batch);

/// What tells somebody who waits for something else that there is a verdict.
pub type Bell = Box<dyn Fn() + Send + Sync>;

/// The threads that verify scripts.
pub struct Pool<E: Engine> {
    queue: Arc<Queue<E>>,
    threads: Vec<JoinHandle<()>>,
    bell: Arc<OnceLock<Bell>>,
    /// Threads that wait to hand over a verdict see its end.
    stop: Option<Sender<()>>,
}

impl<E: Engine> Pool<E> {
    /// Starts the threads. The verdicts come through the receiver.
    ///
    /// # Panics
    /// If the system gives no thread at all.
    #[must_use]
    pub fn new(engine: E, options: Options) -> (Self, Receiver<Verdict>) {
        let wanted = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let queue = Arc::new(Queue::new(options.inputs, wanted, engine.appetite()));
        let engine = Arc::new(engine);
        let (verdicts, receiver) = bounded(VERDICTS);
        let (stop, stopped) = bounded(0);
        let bell = Arc::new(OnceLock::new());
        let threads: Vec<_> = (0..wanted)
            .map_while(|number| {
                let (verdicts, stopped, cache) = (verdicts.clone(), stopped.clone(), options.cache.clone());
                let (engine, queue, bell) = (Arc::clone(&engine), Arc::clone(&queue), Arc::clone(&bell));
                let worker = worker::Worker { engine, queue, cache, verdicts, bell, stopped };
                std::thread::Builder::new().name(format!("script {number}")).spawn(move || worker.run()).ok()
            })
            .collect();
        assert!(!threads.is_empty(), "the system gives no thread");
        (Self { queue, threads, bell, stop: Some(stop) }, receiver)
    }

    /// Hands over a batch; waits until there is room. A thread that also receives the verdicts uses
    /// [`Pool::try_submit`] instead, and receives one when there is no room: else it could wait for itself.
    pub fn submit(&self, batch: Batch) {
        self.queue.push(batch);
    }

    /// Hands over a batch if there is room.
    ///
    /// # Errors
    /// The batch, if there is none.
    pub fn try_submit(&self, batch: Batch) -> Result<(), Full> {
        self.queue.try_push(batch).map_err(Full)
    }

    /// Rings the bell on the thread that verified, after each verdict from now on. The first bell stays.
    pub fn ring(&self, bell: Bell) {
        // There may be one.
        let _ = self.bell.set(bell);
    }

    /// Threads at work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl<E: Engine> fmt::Debug for Pool<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl<E: Engine> Drop for Pool<E> {
    fn drop(&mut self) {
        self.queue.stop();
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
