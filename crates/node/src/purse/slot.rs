//! The place of a node's wallet, which may be made, loaded and let go of while the node runs.
//!
//! ```text
//!  empty ──open──▶ loaded ──close──▶ empty        end (the node stops): for ever empty
//! ```
//!
//! Opening and closing may take long: they run beside the node, one at a time. Whoever only asks for the wallet never waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::BlockHash;
use yap_api::backend::WalletError;
use yap_chain::spec::Spec;

use super::{Handle, Purse, PurseError, Source, Tell};

/// The place.
#[derive(Debug)]
pub(crate) struct Slot {
    spec: Arc<Spec>,
    directory: PathBuf,
    /// Of the wallet that is loaded.
    handle: Mutex<Option<Handle>>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Empty,
    Loaded(Purse),
    Ended,
}

/// Which wallet is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that there is.
    Old,
    /// A new one.
    New,
    /// The one that there is, or a new one.
    Either,
}

/// Why it was not opened or closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// What users are told.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// Its files, or the system.
    #[error(transparent)]
    Purse(#[from] PurseError),
    /// The node is stopping.
    #[error("the node is stopping")]
    Ended,
}

impl Slot {
    /// A place for the wallet of this [`directory`](super::directory), which is not loaded yet.
    pub(crate) fn new(directory: &Path, spec: &Arc<Spec>) -> Self {
        Self {
            spec: Arc::clone(spec),
            directory: directory.to_owned(),
            handle: Mutex::new(None),
            state: Mutex::new(State::Empty),
        }
    }

    /// What others hold of the wallet that is loaded.
    pub(crate) fn get(&self) -> Option<Handle> {
        lock(&self.handle).clone()
    }

    /// Whether there is a wallet, loaded or not.
    pub(crate) fn exists(&self) -> bool {
        Purse::exists(&self.directory)
    }

    /// Loads a wallet. `tip` is the newest block that is known, in which nobody can have paid a new one.
    pub(crate) fn open(
        &self,
        which: Which,
        tip: (u32, BlockHash),
        source: Box<dyn Source>,
        tell: Tell,
    ) -> Result<(), Trouble> {
        let mut state = lock(&self.state);
        match (&*state, which) {
            (State::Ended, _) => return Err(Trouble::Ended),
            (State::Loaded(_), Which::New) => return Err(WalletError::Exists.into()),
            (State::Loaded(_), Which::Old | Which::Either) => return Err(WalletError::Loaded.into()),
            (State::Empty, _) => {}
        }
        match (self.exists(), which) {
            (true, Which::New) => return Err(WalletError::Exists.into()),
            (false, Which::Old) => return Err(WalletError::None.into()),
            (false, Which::New | Which::Either) | (true, Which::Old | Which::Either) => {}
        }
        let purse = Purse::open_or_create(&self.directory, &self.spec, tip, source, tell)?;
        let running = purse.handle();
        running.nudge();
        *lock(&self.handle) = Some(running);
        *state = State::Loaded(purse);
        Ok(())
    }

    /// Lets go of the wallet; everything is on disk afterwards.
    pub(crate) fn close(&self) -> Result<(), Trouble> {
        self.leave(State::Empty)
    }

    /// The same, for ever. Nothing, if none is loaded.
    pub(crate) fn end(&self) {
        // That none is loaded is what is wanted.
        let _ = self.leave(State::Ended);
    }

    fn leave(&self, next: State) -> Result<(), Trouble> {
        let mut state = lock(&self.state);
        *lock(&self.handle) = None;
        let next = if matches!(*state, State::Ended) { State::Ended } else { next };
        match std::mem::replace(&mut *state, next) {
            State::Loaded(purse) => {
                purse.stop();
                Ok(())
            }
            State::Empty => Err(WalletError::NotLoaded.into()),
            State::Ended => Err(Trouble::Ended),
        }
    }
}

/// What a thread that panicked left behind is whole: each change of it is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
