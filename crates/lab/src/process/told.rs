//! What a peer has told: events in their order, and answers by the number of the question.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Events that are kept of one peer. The oldest go first; a scenario looks back over seconds.
pub const MAX_EVENTS: usize = 10_000;

/// Answers that nobody took, which are kept: those of questions that were given up.
const MAX_ANSWERS: usize = 100;

/// An event, and when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When its line was read.
    pub at: Instant,
    /// What it says.
    pub event: Value,
}

/// Hears what one peer tells.
#[derive(Debug, Default)]
pub struct Ear {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Told>,
    /// Events that came before those that are kept.
    forgotten: u64,
    answers: BTreeMap<u64, Result<Value, String>>,
    ended: bool,
}

/// How a wait for an answer ended.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Ok(Value),
    Refused(String),
    Ended,
    Late,
}

/// How a wait for an event ended.
#[derive(Debug, PartialEq)]
pub(super) enum Wait {
    Told(Told),
    Ended,
    Late,
}

impl Ear {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one line.
    pub(super) fn take(&self, value: Value, at: Instant) {
        let mut state = self.lock();
        match value.get("id").and_then(Value::as_u64) {
            Some(id) => {
                let answer = match (value.get("ok"), value.get("error")) {
                    (_, Some(error)) => Err(error.as_str().map_or_else(|| error.to_string(), str::to_owned)),
                    (ok, None) => Ok(ok.cloned().unwrap_or(Value::Null)),
                };
                state.answers.insert(id, answer);
                if state.answers.len() > MAX_ANSWERS {
                    state.answers.pop_first();
                }
            }
            None => {
                state.events.push_back(Told { at, event: value });
                if state.events.len() > MAX_EVENTS {
                    state.events.pop_front();
                    state.forgotten = state.forgotten.saturating_add(1);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// A place in the order of events: what comes from now on comes after it.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let state = self.lock();
        state.forgotten.saturating_add(state.events.len() as u64)
    }

    /// The first event since `mark` that is as wanted, if there is one.
    #[must_use]
    pub fn find(&self, mark: u64, wanted: impl Fn(&Value) -> bool) -> Option<Told> {
        self.lock().find(mark, &wanted)
    }

    /// The last event, as text.
    #[must_use]
    pub fn last(&self) -> String {
        self.lock().events.back().map_or_else(|| "nothing".to_owned(), |told| told.event.to_string())
    }

    /// Waits until something more is told, or so long.
    pub fn pause(&self, most: Duration) {
        let mark = self.mark();
        self.wait(mark, Instant::now().checked_add(most), |_| true);
    }

    pub(super) fn answer(&self, id: u64, deadline: Option<Instant>) -> Answer {
        let taken = self.block(deadline, |state| match state.answers.remove(&id) {
            Some(Ok(value)) => Some(Answer::Ok(value)),
            Some(Err(text)) => Some(Answer::Refused(text)),
            None => state.ended.then_some(Answer::Ended),
        });
        taken.unwrap_or(Answer::Late)
    }

    pub(super) fn wait(&self, mark: u64, deadline: Option<Instant>, wanted: impl Fn(&Value) -> bool) -> Wait {
        let heard = self.block(deadline, |state| match state.find(mark, &wanted) {
            Some(told) => Some(Wait::Told(told)),
            None => state.ended.then_some(Wait::Ended),
        });
        heard.unwrap_or(Wait::Late)
    }

    /// Waits until nothing more comes; false if something still may.
    pub(super) fn silent(&self, deadline: Option<Instant>) -> bool {
        self.block(deadline, |state| state.ended.then_some(())).is_some()
    }

    /// Waits until `done` gives something. No deadline is one that has passed.
    fn block<T>(&self, deadline: Option<Instant>, mut done: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = done(&mut state) {
                return Some(found);
            }
            let left = deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn find(&self, mark: u64, wanted: &impl Fn(&Value) -> bool) -> Option<Told> {
        let skip = usize::try_from(mark.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.events.iter().skip(skip).find(|told| wanted(&told.event)).cloned()
    }
}
