//! What is due by the clock: commits, the address book, old transactions, the wall clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use yap_protocol::Input;
use yap_protocol::io::Command;
use yap_protocol::relay::MAX_OWN;

use super::{Machine, after, notice};
use crate::chainstate::Error;

/// Between a change of the address book and its writing: what a kill may lose.
const SAVE_DELAY: Duration = Duration::from_secs(1);

/// Between a block near the tip and its commit: blocks that follow at once are committed together.
const COMMIT_DELAY: Duration = Duration::from_millis(50);

/// How often the wall clock is looked at, and old transactions are let go.
const LOOK: Duration = Duration::from_secs(10);

/// Time over which the pace of blocks is measured.
const PACE: Duration = Duration::from_secs(2);

/// What is due, and when.
#[derive(Debug)]
pub(super) struct Chores {
    book: Option<Instant>,
    commit: Option<Instant>,
    look: Instant,
    /// Unix time of the start.
    pub(super) started: u64,
    /// Whether no peer is connected, as it was told last. What the network says of itself is a moment older.
    pub(super) alone: bool,
    pace: Pace,
}

/// How fast blocks are connected.
#[derive(Debug)]
struct Pace {
    /// Height when it was last looked at.
    height: u32,
    at: Instant,
    /// Blocks per second, smoothed over some [`PACE`]s.
    rate: f64,
}

impl Chores {
    /// `started` is the Unix time; `height` that of the tip.
    pub(super) fn new(started: u64, height: u32) -> Self {
        let pace = Pace { height, at: Instant::now(), rate: 0.0 };
        Self { book: None, commit: None, look: after(LOOK), started, alone: true, pace }
    }

    /// The address book has changed.
    pub(super) fn book_changed(&mut self) {
        self.book.get_or_insert_with(|| after(SAVE_DELAY));
    }

    /// The tip has moved near the end of the chain.
    pub(super) fn tip_moved(&mut self) {
        self.commit.get_or_insert_with(|| after(COMMIT_DELAY));
    }

    /// Blocks per second, lately.
    pub(super) const fn rate(&self) -> f64 {
        self.pace.rate
    }

    /// Measures the pace, the tip being at that height.
    pub(super) fn measure(&mut self, height: u32) {
        let now = Instant::now();
        let time = now.saturating_duration_since(self.pace.at);
        if time < PACE {
            return;
        }
        let rate = f64::from(height.saturating_sub(self.pace.height)) / time.as_secs_f64();
        // The first measure stands alone; later ones count for a third.
        let smoothed = if self.pace.rate > 0.0 { self.pace.rate.mul_add(2.0, rate) / 3.0 } else { rate };
        self.pace = Pace { height, at: now, rate: smoothed };
    }
}

impl Machine {
    /// Begins: the protocol learns the time, and the mempool what it held.
    pub(super) fn start(&mut self) {
        self.inputs.push_back(Input::Clock(self.clock.wall()));
        let Some(path) = self.keep.path() else { return };
        if let Err(error) = self.ledger.admission_mut().restore(path, self.clock.wall().0) {
            self.observer.tell(notice(error.to_string()));
        }
    }

    /// Has the protocol tell what no peer had before the restart.
    pub(super) fn tell_untaken(&mut self) {
        let pool = self.ledger.admission().pool();
        let entries = pool.unbroadcast().iter().filter_map(|txid| pool.get_by_txid(txid));
        let transactions: Vec<_> = entries.take(MAX_OWN).map(|entry| Arc::clone(entry.transaction())).collect();
        if !transactions.is_empty() {
            let input = self.command(Command::TellUntilTaken(transactions));
            self.inputs.push_back(input);
        }
    }

    /// Marks in the mempool which transactions no peer has yet, as the protocol knows it now: before somebody looks.
    pub(super) fn note_untaken(&mut self) {
        let admission = self.ledger.admission_mut();
        // What was saved is marked once it is here; until then the protocol does not know of it.
        if !admission.is_restoring() {
            admission.set_unbroadcast(self.node.untaken());
        }
    }

    /// When something is due, if nothing happens before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let node = self.node.next_deadline().map(|due| self.clock.instant(due));
        let mine = self.mine.next_deadline().map(|due| self.clock.instant(due));
        [node, mine, self.chores.book, self.chores.commit, self.keep.due(), Some(self.chores.look)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn due(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.chores.book.is_some_and(|due| due <= now) {
            self.chores.book = None;
            if let Err(error) = self.book.save() {
                self.observer.tell(notice(format!("can't keep the address book: {error}")));
            }
        }
        if self.chores.commit.is_some_and(|due| due <= now) {
            self.commit()?;
        }
        if self.keep.due().is_some_and(|due| due <= now) {
            self.keep_pending();
        }
        if self.chores.look <= now {
            self.chores.look = after(LOOK);
            self.look_around()?;
        }
        if self.node.next_deadline().is_some_and(|due| due <= self.clock.now()) {
            self.inputs.push_back(Input::Deadline);
        }
        Ok(())
    }

    /// Commits what is verified, unless scripts are under way or a commit is: then a moment later.
    fn commit(&mut self) -> Result<(), Error> {
        let chain = self.ledger.chain();
        if chain.store().is_committing() || chain.tip() != chain.verified_tip() {
            self.chores.commit = Some(after(COMMIT_DELAY));
            return Ok(());
        }
        self.chores.commit = None;
        self.ledger.chain_mut().commit()
    }

    fn look_around(&mut self) -> Result<(), Error> {
        if let Some(wall) = self.clock.wall_changed() {
            self.inputs.push_back(Input::Clock(wall));
        }
        self.ledger.admission_mut().expire(self.clock.wall().0);
        self.busy = true;
        if self.ledger.chain().commit_due() {
            self.ledger.chain_mut().commit()?;
        }
        Ok(())
    }
}
