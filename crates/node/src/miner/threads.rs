//! Threads that try nonces.
//!
//! They sleep while there is nothing to do. Between two looks at whether the work is still wanted a thread tries [`CHUNK`]
//! nonces, far below a millisecond on anything that has SHA-256 in its processor. Which thread finds a block does not
//! matter: of each work one report comes, or none if it was taken back.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bitcoin::Target;
use yap_chain::block::{Block, Draft};

use super::plan::WorkId;
use super::search::Search;

/// Nonces that a thread tries before it looks whether its work is still wanted.
pub const CHUNK: u32 = 1024;

/// Most threads of one miner.
pub const MAX_THREADS: usize = 256;

/// By how much mining gives way to everything else (`nice`, on Linux of each thread by itself).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// A block that is to be found.
#[derive(Clone, Debug)]
pub struct Work {
    /// Which one, as the plan calls it.
    pub id: WorkId,
    /// The block.
    pub draft: Arc<Draft>,
    /// What its bits stand for ([`pow::target`](yap_chain::header::pow::target)).
    pub target: Target,
    /// Hashes to try at most; none: as many as it takes.
    pub tries: Option<u64>,
    /// The wall clock when the draft was made, if the block's time may go on with it: where a time does not change the
    /// target ([`time_is_free`](yap_chain::spec::ProofOfWork::time_is_free)), and is not signed.
    pub clock: Option<u32>,
}

/// How a work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// Here is the block.
    Found {
        /// Of which work.
        work: WorkId,
        /// The block, which meets its target.
        block: Arc<Block>,
        /// Hashes that it took.
        hashes: u64,
    },
    /// It was not found in as many tries as were allowed, or as there are for a signed draft.
    Spent {
        /// Which work.
        work: WorkId,
        /// Hashes that were tried.
        hashes: u64,
    },
}

/// Threads that mine.
pub struct Miner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    wanted: usize,
}

impl fmt::Debug for Miner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Miner").field("threads", &self.wanted).field("working", &self.is_working()).finish()
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    report: Box<dyn Fn(Report) + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// What is to be done.
    job: Option<Arc<Job>>,
    /// What was done last, also while it is being done.
    last: Option<Arc<Job>>,
    /// Seconds that the last one took, once it has ended.
    took: Option<f64>,
    stop: bool,
}

/// A work that threads share.
struct Job {
    work: Work,
    /// Hashes that no thread has taken yet.
    left: AtomicU64,
    hashed: AtomicU64,
    /// Threads that may still report that nothing was found.
    busy: AtomicUsize,
    /// Set once: found, spent, or taken back.
    over: AtomicBool,
    started: Instant,
}

impl Miner {
    /// A miner with so many threads, or 0 for one on each core. They are started when there is something to do. `report` is
    /// called on one of them, and should be short.
    #[must_use]
    pub fn new(threads: usize, report: impl Fn(Report) + Send + Sync + 'static) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let wanted = if threads == 0 { cores() } else { threads }.min(MAX_THREADS);
        let shared = Shared { state: Mutex::default(), changed: Condvar::new(), report: Box::new(report) };
        Self { shared: Arc::new(shared), threads: Vec::new(), wanted }
    }

    /// Works on this block from now on, and on no other. Gives what was worked on until now, if it had not ended, and the
    /// hashes that were tried for it.
    ///
    /// # Errors
    /// If the system gives no thread at all.
    pub fn start(&mut self, work: Work) -> std::io::Result<Option<(WorkId, u64)>> {
        self.spawn()?;
        let job = Arc::new(Job {
            left: AtomicU64::new(work.tries.unwrap_or(u64::MAX)),
            work,
            hashed: AtomicU64::new(0),
            busy: AtomicUsize::new(self.threads.len()),
            over: AtomicBool::new(false),
            started: Instant::now(),
        });
        let before = self.replace(Some(job));
        self.shared.changed.notify_all();
        Ok(before)
    }

    /// Stops. No report comes of what was worked on; gives it, and the hashes that were tried for it.
    pub fn cancel(&mut self) -> Option<(WorkId, u64)> {
        self.replace(None)
    }

    fn replace(&self, job: Option<Arc<Job>>) -> Option<(WorkId, u64)> {
        let mut state = self.shared.lock();
        let before = state.job.take().filter(|before| !before.over.swap(true, Ordering::AcqRel));
        if let Some(before) = &before {
            state.took = Some(before.started.elapsed().as_secs_f64());
        }
        if job.is_some() {
            state.last.clone_from(&job);
            state.took = None;
        }
        state.job = job;
        before.map(|before| (before.work.id, before.hashed.load(Ordering::Acquire)))
    }

    /// Threads that it uses.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.wanted
    }

    /// Whether it is at work.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.shared.lock().job.is_some()
    }

    /// Hashes per second of the work at hand, or else of the last one; 0 before the first.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let state = self.shared.lock();
        let Some(job) = &state.last else { return 0.0 };
        let seconds = state.took.unwrap_or_else(|| job.started.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
        let hashes = job.hashed.load(Ordering::Relaxed) as f64;
        if seconds > 0.0 { hashes / seconds } else { 0.0 }
    }

    /// Starts what threads are missing. With fewer than wanted it goes on.
    fn spawn(&mut self) -> std::io::Result<()> {
        while self.threads.len() < self.wanted {
            let (shared, lane) = (Arc::clone(&self.shared), self.threads.len());
            let lanes = (lane as u64, self.wanted as u64);
            let thread = std::thread::Builder::new().name(format!("miner-{lane}"));
            match thread.spawn(move || shared.run(lanes)) {
                Ok(thread) => self.threads.push(thread),
                Err(cause) if self.threads.is_empty() => return Err(cause),
                Err(_) => break,
            }
        }
        Ok(())
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.cancel();
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, lanes: (u64, u64)) {
        give_way();
        let mut done: Option<Arc<Job>> = None;
        while let Some(job) = self.next(done.as_ref()) {
            self.work(&job, lanes);
            done = Some(job);
        }
    }

    /// The next job after `done`, once there is one; none if it is time to stop.
    fn next(&self, done: Option<&Arc<Job>>) -> Option<Arc<Job>> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            match &state.job {
                Some(job) if done.is_none_or(|done| !Arc::ptr_eq(done, job)) => return Some(Arc::clone(job)),
                Some(_) | None => {}
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, job: &Arc<Job>, lanes: (u64, u64)) {
        let mut search = Search::new(Arc::clone(&job.work.draft), job.work.target, lanes, u32::MAX);
        let least = job.work.draft.header(0).time;
        while !job.over.load(Ordering::Acquire) {
            let count = job.claim();
            if count == 0 {
                break;
            }
            if let Some(clock) = job.work.clock {
                let passed = u32::try_from(job.started.elapsed().as_secs()).unwrap_or(u32::MAX);
                search.set_time(clock.saturating_add(passed).max(least));
            }
            let (tried, found) = search.run(count);
            job.hashed.fetch_add(tried.into(), Ordering::AcqRel);
            if let Some(found) = found {
                self.end(job, |hashes| {
                    let block = Arc::new(job.work.draft.seal(found.extra, found.time, found.nonce));
                    Report::Found { work: job.work.id, block, hashes }
                });
                return;
            }
            if search.is_spent() {
                break;
            }
        }
        // The last one to give up says so: until then another may find it.
        if job.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end(job, |hashes| Report::Spent { work: job.work.id, hashes });
        }
    }

    /// Reports on a job, unless that was done or is no longer wanted.
    fn end(&self, job: &Arc<Job>, report: impl FnOnce(u64) -> Report) {
        if job.over.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.lock();
        if state.job.as_ref().is_some_and(|current| Arc::ptr_eq(current, job)) {
            state.job = None;
            state.took = Some(job.started.elapsed().as_secs_f64());
        }
        drop(state);
        (self.report)(report(job.hashed.load(Ordering::Acquire)));
    }
}

impl Job {
    /// Takes up to [`CHUNK`] hashes of those that are left; 0 if none is.
    fn claim(&self) -> u32 {
        let take = |left: u64| Some(left.saturating_sub(CHUNK.into()));
        // A number without a limit stays without.
        if self.work.tries.is_none() {
            return CHUNK;
        }
        let left = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).unwrap_or(0);
        u32::try_from(left.min(CHUNK.into())).unwrap_or(CHUNK)
    }
}

/// Lets everything else go first.
fn give_way() {
    #[cfg(target_os = "linux")]
    // Where it is not allowed, mining goes on as it is.
    let _ = rustix::process::nice(NICE);
}

#[cfg(test)]
mod tests;
