//! A batch in work: how much of it is done, and the first failure found so far.
//!
//! Inputs have a *position*, their number in the batch. A job without inputs takes one position, so that it is looked
//! at as well, and so does a batch without jobs.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use yap_chain::verify::Job;

use super::{Batch, Verdict};
use crate::engine::{Engine, Failure, Reason};

/// Jobs with at most this many inputs are verified by one thread (half a millisecond at 30 µs each), so that what is
/// prepared of them need not be shared.
pub(super) const WHOLE: usize = 16;

/// Positions that a job takes.
pub(super) fn positions(job: &Job) -> usize {
    job.spent.len().max(1)
}

/// What an engine made of a job; nothing if the job is known to hold.
pub(super) type Ready<P> = Result<Option<P>, Reason>;

/// A batch in work.
pub(super) struct Progress<E: Engine> {
    batch: Batch,
    /// What it takes of the queue's bound.
    size: usize,
    positions: usize,
    /// Positions that no thread has finished.
    unfinished: AtomicUsize,
    /// By job, in ascending order: those that threads share.
    large: Vec<(usize, OnceLock<Ready<E::Prepared>>)>,
    /// The position of `failure`; `usize::MAX` if there is none.
    failed_at: AtomicUsize,
    failure: Mutex<Option<Found>>,
}

struct Found {
    position: usize,
    job: usize,
    input: usize,
    reason: Reason,
}

/// A run of inputs of one job, for one thread.
pub(super) struct Run<E: Engine> {
    pub(super) progress: Arc<Progress<E>>,
    pub(super) job: usize,
    pub(super) inputs: Range<usize>,
    /// Of the first input.
    pub(super) position: usize,
    /// How many it takes.
    pub(super) positions: usize,
}

impl<E: Engine> Progress<E> {
    pub(super) fn new(batch: Batch) -> Self {
        let all = batch.jobs.iter().map(positions).fold(0, usize::saturating_add).max(1);
        let large = batch.jobs.iter().enumerate().filter(|(_, job)| job.spent.len() > WHOLE);
        Self {
            large: large.map(|(index, _)| (index, OnceLock::new())).collect(),
            size: batch.size(),
            positions: all,
            unfinished: AtomicUsize::new(all),
            failed_at: AtomicUsize::new(usize::MAX),
            failure: Mutex::new(None),
            batch,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    pub(super) fn jobs(&self) -> &[Job] {
        &self.batch.jobs
    }

    pub(super) fn remember(&self) -> bool {
        self.batch.remember
    }

    /// Where threads share what is prepared of the job, if they do.
    fn shared(&self, job: usize) -> Option<&OnceLock<Ready<E::Prepared>>> {
        let index = self.large.binary_search_by_key(&job, |(index, _)| *index).ok()?;
        self.large.get(index).map(|(_, shared)| shared)
    }

    /// The verdict, once every position is finished.
    pub(super) fn verdict(&self) -> Verdict {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let named = failure.as_ref().and_then(|found| {
            let job = self.batch.jobs.get(found.job)?;
            Some(Failure::new(job, found.input, found.reason))
        });
        Verdict { id: self.batch.id, result: named.map_or(Ok(()), Err) }
    }
}

impl<E: Engine> Run<E> {
    /// The job, unless the batch has none.
    pub(super) fn job(&self) -> Option<&Job> {
        self.progress.batch.jobs.get(self.job)
    }

    pub(super) fn shared(&self) -> Option<&OnceLock<Ready<E::Prepared>>> {
        self.progress.shared(self.job)
    }

    /// Whether an input before it failed, so that nothing depends on it.
    pub(super) fn is_moot(&self) -> bool {
        self.progress.failed_at.load(Ordering::Relaxed) < self.position
    }

    /// Notes that an input does not hold. The first one in the batch's order stays.
    pub(super) fn fail(&self, input: usize, reason: Reason) {
        let position = self.position.saturating_add(input.saturating_sub(self.inputs.start));
        let mut failure = self.progress.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.as_ref().is_none_or(|found| position < found.position) {
            *failure = Some(Found { position, job: self.job, input, reason });
            self.progress.failed_at.store(position, Ordering::Relaxed);
        }
    }

    /// Says that a thread is done with it; whether the batch is complete by that.
    #[must_use]
    pub(super) fn finish(&self) -> bool {
        // What each thread found happens before what the last one reads.
        self.progress.unfinished.fetch_sub(self.positions, Ordering::AcqRel) == self.positions
    }
}
