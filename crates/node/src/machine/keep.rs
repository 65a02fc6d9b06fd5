//! Pending transactions on disk: written now and then while they change, on users' demand, and at the end.
//!
//! A kill loses what came since the last writing, [`SAVE_AFTER`] where few transactions wait. Those of the user's own are in
//! the wallet's file besides. Writing goes on in a thread of its own, from a copy that shares the transactions, so that the
//! loop is not held up by a disk; one writing at a time.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Machine, after, notice};
use crate::admission::{Admission, SaveError, Snapshot};
use crate::observer::Observer;

/// The file of pending transactions.
pub(super) const MEMPOOL: &str = "mempool.dat";

/// Between a change of the pending transactions and their writing, when there are few.
pub(crate) const SAVE_AFTER: Duration = Duration::from_secs(30);

/// Bytes of memory that pending transactions take, for each of which a second more goes by: a full pool of 300 MB is
/// written every 50 minutes, which is some 4 GB a day.
const SAVE_PACE: usize = 100_000;

/// What is kept of pending transactions, and when.
#[derive(Debug)]
pub(super) struct Keep {
    /// Where; `None`: not at all.
    path: Option<PathBuf>,
    due: Option<Instant>,
    /// The writing that was begun last.
    writing: Option<JoinHandle<()>>,
}

impl Keep {
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, due: None, writing: None }
    }

    /// The file, if there is one.
    pub(super) const fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// The pending transactions have changed, and take so many bytes of memory.
    pub(super) fn changed(&mut self, bytes: usize) {
        if self.path.is_some() {
            self.due.get_or_insert_with(|| after(wait(bytes)));
        }
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    fn is_writing(&self) -> bool {
        self.writing.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Writes a copy in a thread of its own, which then says how that went.
    fn begin(&mut self, copy: Snapshot, said: impl FnOnce(Result<usize, SaveError>) + Send + 'static) {
        let Some(path) = self.path.clone() else { return };
        self.due = None;
        let write = move || said(copy.save(&path));
        match std::thread::Builder::new().name("mempool".into()).spawn(write) {
            Ok(thread) => self.writing = Some(thread),
            // It is tried again after the next change, and at the end.
            Err(error) => tracing::warn!(%error, "no thread to write the pending transactions"),
        }
    }

    /// Waits for what is being written, and writes what there is at the end.
    pub(super) fn finish(mut self, admission: &Admission, observer: &Observer) {
        if let Some(thread) = self.writing.take() {
            // What went wrong there was told.
            let _ = thread.join();
        }
        let Some(path) = self.path else { return };
        if admission.is_restoring() {
            // What was saved is not all here yet: the file has it.
            return;
        }
        if let Err(error) = admission.save(&path) {
            observer.tell(notice(format!("can't keep the pending transactions: {error}")));
        }
    }
}

/// How long a change waits for its writing.
fn wait(bytes: usize) -> Duration {
    let more = u64::try_from(bytes.checked_div(SAVE_PACE).unwrap_or_default()).unwrap_or(u64::MAX);
    SAVE_AFTER.saturating_add(Duration::from_secs(more))
}

impl Machine {
    /// Writes the pending transactions, which have changed. While those of before are being taken in, the file has more.
    pub(super) fn keep_pending(&mut self) {
        let admission = self.ledger.admission();
        if admission.is_restoring() || self.keep.is_writing() {
            self.keep.due = Some(after(SAVE_AFTER));
            return;
        }
        self.note_untaken();
        let (copy, observer) = (self.ledger.admission().snapshot(), self.observer.clone());
        self.keep.begin(copy, move |written| {
            if let Err(error) = written {
                observer.tell(notice(format!("can't keep the pending transactions: {error}")));
            }
        });
    }

    /// Writes the pending transactions because a user asks for it.
    pub(super) fn save_mempool(&mut self, answer: oneshot::Sender<Result<String, String>>) {
        // Whoever asked may have gone.
        let refuse = |answer: oneshot::Sender<_>, why: &str| drop(answer.send(Err(why.to_owned())));
        let Some(path) = self.keep.path() else {
            return refuse(answer, "pending transactions are not kept: the configuration says so ([mempool] persist)");
        };
        let admission = self.ledger.admission();
        if admission.is_restoring() {
            return refuse(answer, "the pending transactions of before are still being taken in: try again");
        }
        if self.keep.is_writing() {
            return refuse(answer, "they are being written at this moment: try again");
        }
        let file = path.display().to_string();
        self.note_untaken();
        let copy = self.ledger.admission().snapshot();
        self.keep.begin(copy, move |written| {
            let _ = answer.send(written.map(|_| file).map_err(|error| error.to_string()));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_pool_is_written_less_often() {
        assert_eq!(wait(0), SAVE_AFTER);
        assert_eq!(wait(SAVE_PACE - 1), SAVE_AFTER);
        assert_eq!(wait(SAVE_PACE), SAVE_AFTER + Duration::from_secs(1));
        assert_eq!(wait(300_000_000), SAVE_AFTER + Duration::from_secs(3000));
    }

    #[test]
    fn changes_wait_for_one_writing_and_those_that_are_not_kept_for_none() {
        let mut keep = Keep::new(Some("mempool.dat".into()));
        assert_eq!(keep.due(), None);
        keep.changed(0);
        let due = keep.due();
        assert!(due.is_some());
        keep.changed(300_000_000);
        assert_eq!(keep.due(), due, "later changes don't put it off");
        let mut none = Keep::new(None);
        none.changed(0);
        assert_eq!(none.due(), None);
    }
}
