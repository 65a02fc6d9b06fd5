//! The wallet of a running node: its file, and the thread that owns it.
//!
//! ```text
//!            jobs (bounded) ──▶ ┌────────┐ ──changes──▶ wallet.log, fsync ──▶ what the job left to do
//!  nudges (tip, mempool) ─────▶ │ wallet │
//!                               └────────┘ ◀──blocks, mempool── Source (asked, never told)
//! ```
//!
//! The thread pulls: when it is nudged it asks its [`Source`] for what comes after the blocks that the wallet has, until
//! it is at the tip. So nothing is queued for a wallet that is slow, and nothing is lost by one that was stopped.
//!
//! What a job changes is on disk before anybody is told that it was done; if it can't be written, the wallet is read
//! again as the file has it. A kill at any moment loses nothing that was answered.

mod error;
mod files;
mod follow;
mod mark;
mod offer;
mod slot;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::{BlockHash, ScriptBuf};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use yap_api::backend::{Unavailable, WalletJob, WalletStanding};
use yap_api::event::Event;
use yap_chain::spec::Spec;
use yap_wallet::{Changes, Entropy, Key, Opener, Wallet, Words};

pub use self::error::PurseError;
use self::files::Files;
pub use self::files::write_new;
use self::follow::Worker;
pub(crate) use self::slot::{Slot, Trouble, Which};
pub use self::source::{Next, Node, Pool, Source};

/// Jobs that may wait for the wallet.
pub const MAX_JOBS: usize = 64;

/// Hears of payments.
pub type Tell = Box<dyn Fn(Event) + Send>;

/// The wallet of a running node. Dropped, it stops as [`stop`](Self::stop) does.
#[derive(Debug)]
pub struct Purse {
    handle: Handle,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// What others hold of a wallet that runs. Clones are of the same wallet.
#[derive(Clone, Debug)]
pub struct Handle {
    jobs: Sender<WalletJob>,
    nudges: Sender<()>,
    shared: Arc<Mutex<Shared>>,
}

/// What is known of the wallet without asking it.
#[derive(Clone, Debug, Default)]
struct Shared {
    standing: WalletStanding,
    payout: Option<ScriptBuf>,
}

impl Purse {
    /// Whether there is a wallet in this [`directory`].
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        Files::new(directory).exist()
    }

    /// Makes a wallet with new words in this [`directory`]. `tip` is the newest block that is known.
    ///
    /// # Errors
    /// [`PurseError`]; one that is there is never overwritten.
    pub fn create(directory: &Path, spec: &Arc<Spec>, tip: (u32, BlockHash)) -> Result<(), PurseError> {
        Self::make(directory, |key, entropy, now| Ok(Wallet::create(spec, tip, key, entropy, now)))
    }

    /// Makes the wallet of these words. It will look through every block.
    ///
    /// # Errors
    /// [`PurseError`]; one that is there is never overwritten.
    pub fn restore_words(directory: &Path, spec: &Arc<Spec>, words: Words) -> Result<(), PurseError> {
        let genesis = (0, spec.genesis.block_hash());
        Self::make(directory, |key, entropy, now| Ok(Wallet::from_words(spec, words, genesis, key, (entropy, now))))
    }

    /// Makes the wallet of a backup; `passphrase` if it has one.
    ///
    /// # Errors
    /// [`PurseError`]; one that is there is never overwritten.
    pub fn restore(
        directory: &Path,
        spec: &Arc<Spec>,
        backup: &Path,
        passphrase: Option<&str>,
    ) -> Result<(), PurseError> {
        let backup = files::read(backup)?;
        Self::make(directory, |key, entropy, now| {
            Ok(Wallet::from_backup(spec, &backup, passphrase, key, (entropy, now))?)
        })
    }

    /// Starts the wallet of this [`directory`]; makes one if there is none. `tip` is the newest block that is known, in
    /// which nobody can have paid a new wallet.
    ///
    /// # Errors
    /// [`PurseError`].
    pub fn open_or_create(
        directory: &Path,
        spec: &Arc<Spec>,
        tip: (u32, BlockHash),
        source: Box<dyn Source>,
        tell: Tell,
    ) -> Result<Self, PurseError> {
        if !Self::exists(directory) {
            Self::create(directory, spec, tip)?;
        }
        Self::open(directory, spec, source, tell)
    }

    /// Starts the wallet of this [`directory`].
    ///
    /// # Errors
    /// [`PurseError`].
    pub fn open(directory: &Path, spec: &Arc<Spec>, source: Box<dyn Source>, tell: Tell) -> Result<Self, PurseError> {
        let files = Files::new(directory);
        let wallet = load(&files, spec)?;
        let (jobs, jobs_in) = bounded(MAX_JOBS);
        let (nudges, nudges_in) = bounded(1);
        let (stop, stopped) = bounded(1);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let inbox = Inbox { jobs: jobs_in, nudges: nudges_in, stopped };
        let worker = Worker::new(wallet, files, source, tell, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("wallet".to_owned()).spawn(move || worker.run(&inbox));
        let thread = thread.map_err(|cause| PurseError::Thread { cause })?;
        Ok(Self { handle: Handle { jobs, nudges, shared }, stop, thread: Some(thread) })
    }

    /// What others hold of it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the thread, once the job at hand is done and everything is on disk.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn make(
        directory: &Path,
        make: impl FnOnce(&Key, Entropy, u64) -> Result<Wallet, PurseError>,
    ) -> Result<(), PurseError> {
        let files = Files::new(directory);
        files.refuse_existing()?;
        let mut key = Key::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| PurseError::Entropy)?;
        let mut wallet = make(&key, entropy()?, now())?;
        let Some(Changes::Replace(bytes)) = wallet.take_changes() else { return Err(PurseError::Entropy) };
        files.create(&key, &bytes)
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        self.end();
    }
}

impl Handle {
    /// Runs a job where the wallet lives; see [`Backend::wallet`](yap_api::Backend::wallet).
    ///
    /// # Errors
    /// [`Unavailable`]; the job is then dropped.
    pub fn run(&self, job: WalletJob) -> Result<(), Unavailable> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => Unavailable::Stopped,
        })
    }

    /// Says that the tip or the mempool changed, or that a peer came or went. Never waits; many at once are one.
    pub fn nudge(&self) {
        // One that waits already will do for this too.
        let _ = self.nudges.try_send(());
    }

    /// How the wallet stands, as of its last change.
    #[must_use]
    pub fn standing(&self) -> WalletStanding {
        self.shared().standing.clone()
    }

    /// Who is paid for mining. It changes with each block of its own.
    #[must_use]
    pub fn payout(&self) -> Option<ScriptBuf> {
        self.shared().payout.clone()
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread listens to.
struct Inbox {
    jobs: Receiver<WalletJob>,
    nudges: Receiver<()>,
    stopped: Receiver<()>,
}

/// Reads the wallet's file, and cuts off what was being written when the machine stopped.
fn load(files: &Files, spec: &Arc<Spec>) -> Result<Wallet, PurseError> {
    let key = files.key()?;
    let bytes = files.log()?;
    let opened = Wallet::open(spec, &bytes, Opener::KeyFile(&key), entropy()?, now())?;
    files.check_end(opened.whole)?;
    if opened.whole < bytes.len() {
        tracing::warn!(target: "yap", file = %files.log_path().display(), lost = bytes.len().saturating_sub(opened.whole),
            "the wallet's last record was not whole: nobody was told of it, and it is dropped");
        files.cut(opened.whole)?;
    }
    Ok(opened.wallet)
}

/// The operating system's randomness. Checked once; after that it does not fail.
fn entropy() -> Result<Entropy, PurseError> {
    getrandom::fill(&mut [0; 32]).map_err(|_| PurseError::Entropy)?;
    Ok(Box::new(|buffer| {
        getrandom::fill(buffer).expect("the operating system's randomness was there a moment ago");
    }))
}

/// Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The directory of a wallet within that of its chain.
#[must_use]
pub fn directory(chain: &Path) -> PathBuf {
    chain.join("wallet")
}
