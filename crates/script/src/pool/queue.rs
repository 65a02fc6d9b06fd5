//! The batches that wait, and how they are cut into runs.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Batch;
use super::progress::{Progress, Run, WHOLE, positions};
use crate::engine::Engine;

/// Shared by the threads and whoever submits.
pub(super) struct Queue<E: Engine> {
    state: Mutex<State<E>>,
    /// Signalled when batches come, and at the end.
    work: Condvar,
    /// Signalled when batches are answered.
    room: Condvar,
    /// Sizes of the batches that may be waiting or in work.
    bound: usize,
    threads: usize,
    appetite: usize,
}

struct State<E: Engine> {
    waiting: VecDeque<Cursor<E>>,
    /// Positions in `waiting` that no thread has taken.
    untaken: usize,
    /// Sizes of all batches that are not answered.
    load: usize,
    stopped: bool,
}

/// A batch, and how far it has been handed out.
struct Cursor<E: Engine> {
    progress: Arc<Progress<E>>,
    job: usize,
    input: usize,
    position: usize,
}

impl<E: Engine> Queue<E> {
    pub(super) fn new(bound: usize, threads: usize, appetite: usize) -> Self {
        let state = State { waiting: VecDeque::new(), untaken: 0, load: 0, stopped: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            bound,
            threads: threads.max(1),
            appetite: appetite.max(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a batch, once there is room. After the end it is dropped.
    pub(super) fn push(&self, batch: Batch) {
        let progress = Progress::new(batch);
        let full = |state: &mut State<E>| !state.stopped && !state.has_room(progress.size(), self.bound);
        let state = self.room.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        self.append(state, progress);
    }

    /// Appends a batch, or gives it back if there is no room. After the end it is dropped.
    pub(super) fn try_push(&self, batch: Batch) -> Result<(), Batch> {
        let size = batch.size();
        let state = self.state();
        if !state.stopped && !state.has_room(size, self.bound) {
            return Err(batch);
        }
        self.append(state, Progress::new(batch));
        Ok(())
    }

    fn append(&self, mut state: MutexGuard<'_, State<E>>, progress: Progress<E>) {
        if state.stopped {
            return;
        }
        let positions = progress.positions();
        // No more threads than can find something.
        let runs = progress.jobs().len().max(positions.div_ceil(WHOLE));
        state.load = state.load.saturating_add(progress.size());
        state.untaken = state.untaken.saturating_add(positions);
        state.waiting.push_back(Cursor { progress: Arc::new(progress), job: 0, input: 0, position: 0 });
        drop(state);
        for _ in 0..runs.min(self.threads).max(1) {
            self.work.notify_one();
        }
    }

    /// Waits for work; `None` at the end.
    pub(super) fn take(&self) -> Option<Vec<Run<E>>> {
        let idle = |state: &mut State<E>| state.waiting.is_empty() && !state.stopped;
        let mut state = self.work.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        // A share of what waits, so that the threads finish together; half, because runs differ in cost.
        let share = state.untaken.div_ceil(self.threads.saturating_mul(2));
        Some(state.cut(share.clamp(1, self.appetite)))
    }

    /// Makes room after a batch of this size was answered.
    pub(super) fn release(&self, size: usize) {
        let mut state = self.state();
        state.load = state.load.saturating_sub(size);
        drop(state);
        self.room.notify_all();
    }

    /// Drops what waits and ends the threads.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        self.work.notify_all();
        self.room.notify_all();
    }
}

impl<E: Engine> State<E> {
    /// A batch over the bound has room when it is alone.
    fn has_room(&self, size: usize, bound: usize) -> bool {
        self.load == 0 || self.load.saturating_add(size) <= bound
    }

    /// Takes runs of about `budget` positions from the oldest batches.
    fn cut(&mut self, budget: usize) -> Vec<Run<E>> {
        let (mut runs, mut taken) = (Vec::new(), 0_usize);
        while taken < budget
            && let Some(cursor) = self.waiting.front_mut()
        {
            let run = cursor.advance(budget.saturating_sub(taken));
            taken = taken.saturating_add(run.positions);
            runs.push(run);
            if cursor.is_at_end() {
                self.waiting.pop_front();
            }
        }
        self.untaken = self.untaken.saturating_sub(taken);
        runs
    }
}

impl<E: Engine> Cursor<E> {
    /// Takes one run: a whole job if it is small, else `budget` inputs of it.
    fn advance(&mut self, budget: usize) -> Run<E> {
        let (inputs, whole) = match self.progress.jobs().get(self.job) {
            Some(job) => (job.spent.len(), positions(job)),
            None => (0, 1),
        };
        let end = if inputs <= WHOLE { inputs } else { self.input.saturating_add(budget).min(inputs) };
        let range: Range<usize> = self.input..end;
        let positions = if inputs <= WHOLE { whole } else { range.len() };
        let progress = Arc::clone(&self.progress);
        let run = Run { progress, job: self.job, inputs: range, position: self.position, positions };
        self.position = self.position.saturating_add(positions);
        (self.job, self.input) = if end < inputs { (self.job, end) } else { (self.job.saturating_add(1), 0) };
        run
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.progress.positions()
    }
}
