//! Imports blocks from files in `blk` framing: read → prepare → process, each stage over many blocks at once.
//!
//! One thread reads, some threads prepare (parse, hash, check alone), and the caller's thread puts the blocks back in
//! the order of the input and hands them to the chainstate, which in turn keeps the script threads busy. Every queue
//! between them is bounded, so memory does not grow with the input.

mod headers;
mod mask;
mod orphans;
mod read;
mod stages;
mod window;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::hashes::Hash;
use yap_store::framing;

use self::orphans::Orphans;
use self::stages::{Item, Next, Stages};
use crate::chainstate::{Accepted, Chainstate, Error, Event};
use crate::prepare::Prepared;
use crate::reject::Reject;

/// Problems that a [`Summary`] lists; more are only counted.
pub const LISTED_PROBLEMS: usize = 100;

/// Time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// Where blocks are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// A place in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The input.
    pub source: Arc<Source>,
    /// Bytes before it.
    pub offset: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}", self.source, self.offset)
    }
}

/// Something in the input that could not be taken in. The import goes on behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Bytes that are no record.
    #[error("{origin}: {bytes} bytes are no blocks: {why}")]
    Damaged {
        /// Where.
        origin: Origin,
        /// How many.
        bytes: u64,
        /// What is there instead.
        why: framing::Flaw,
    },
    /// The input holds blocks of another chain.
    #[error("{origin}: {bytes} bytes are no blocks of this chain, but look like those of `--chain {chain}`")]
    OtherChain {
        /// Where.
        origin: Origin,
        /// How many.
        bytes: u64,
        /// The built-in chain whose magic they start with.
        chain: &'static str,
    },
    /// A record that is no block.
    #[error("{origin}: {why}")]
    NotABlock {
        /// Where.
        origin: Origin,
        /// What is wrong with it.
        why: yap_chain::block::ParseError,
    },
    /// A block that breaks a rule.
    #[error("{origin}: block {hash} is invalid: {} ({why})", why.reason())]
    Rejected {
        /// Where.
        origin: Origin,
        /// The block.
        hash: BlockHash,
        /// The rule.
        why: Reject,
    },
    /// A block that broke a rule when it was connected.
    #[error("block {hash} at height {height} is invalid: {} ({why})", why.reason())]
    Invalid {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// The rule.
        why: Reject,
    },
    /// A block whose parent did not come within the window.
    #[error("{origin}: block {hash} has an unknown parent {parent}; import the blocks before it first")]
    Orphan {
        /// Where.
        origin: Origin,
        /// The block.
        hash: BlockHash,
        /// The missing parent.
        parent: BlockHash,
    },
    /// The input could not be read to its end.
    #[error("{input}: cannot be read: {why}")]
    Unreadable {
        /// The input.
        input: Arc<Source>,
        /// What the system says.
        why: std::io::Error,
    },
}

/// What an import has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were read.
    pub bytes: u64,
    /// Blocks in them.
    pub read: u64,
    /// Blocks that were new and are stored now.
    pub stored: u64,
    /// Blocks that were there before.
    pub known: u64,
    /// Height up to which every script holds.
    pub height: u32,
    /// Transactions connected.
    pub transactions: u64,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Summary {
    /// The counts.
    pub progress: Progress,
    /// The first problems, in the order in which they were met.
    pub problems: Vec<Problem>,
    /// How many problems there were.
    pub problem_count: u64,
    /// It was stopped before the end of the input.
    pub stopped: bool,
}

/// How an import runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that parse and hash.
    pub threads: usize,
    /// Commit after so many connected blocks, even if memory and time don't ask for it.
    pub commit_blocks: Option<u32>,
}

/// Imports `sources` one after the other, and commits what was connected. A second import of the same input goes on
/// where the first ended.
///
/// # Errors
/// If the ledger cannot go on, such as on a full disk. What was committed stays.
pub fn import(
    chainstate: &mut Chainstate,
    sources: &[Source],
    options: Options,
    stop: &Arc<AtomicBool>,
    report: &mut dyn FnMut(&Progress),
) -> Result<Summary, Error> {
    headers::learn(chainstate, sources, unix_time(), stop)?;
    tracing::info!(headers = chainstate.tree().iter().count(), "learned the headers of regular files");
    let mut stages =
        Stages::start(chainstate, sources, options.threads, stop).map_err(|_| Error::Worker("reading and parsing"))?;
    let mut import = Import { chainstate, options, orphans: Orphans::default(), summary: Summary::default(), since: 0 };
    let mut reported = Instant::now();
    loop {
        match stages.next()? {
            Next::Item(item) => import.item(item)?,
            Next::End => break,
            Next::Stopped => {
                import.summary.stopped = true;
                break;
            }
        }
        import.events();
        import.commit_if_due()?;
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            report(&import.summary.progress);
        }
    }
    import.finish()?;
    report(&import.summary.progress);
    Ok(import.summary)
}

struct Import<'a> {
    chainstate: &'a mut Chainstate,
    options: Options,
    orphans: Orphans,
    summary: Summary,
    /// Blocks connected since the last commit.
    since: u32,
}

impl Import<'_> {
    fn item(&mut self, item: Item) -> Result<(), Error> {
        match item {
            Item::Block { origin, prepared } => {
                self.count(prepared.block().bytes().len());
                self.block(origin, prepared)?;
            }
            Item::Known { size } => {
                self.count(size);
                self.summary.progress.known = self.summary.progress.known.saturating_add(1);
            }
            Item::Problem(problem) => self.problem(problem),
        }
        Ok(())
    }

    fn count(&mut self, size: usize) {
        let progress = &mut self.summary.progress;
        progress.read = progress.read.saturating_add(1);
        let size = u64::try_from(size.saturating_add(framing::FRAME)).unwrap_or(u64::MAX);
        progress.bytes = progress.bytes.saturating_add(size);
    }

    /// Processes a block, and then those that waited for it.
    fn block(&mut self, origin: Origin, prepared: Prepared) -> Result<(), Error> {
        let mut ready = vec![(origin, prepared)];
        while let Some((origin, prepared)) = ready.pop() {
            let (hash, parent) = (prepared.block().hash(), prepared.block().header().prev_blockhash);
            let tree = self.chainstate.tree();
            if prepared.verdict.is_ok() && parent != BlockHash::all_zeros() && tree.get(&parent).is_none() {
                for (origin, hash, parent) in self.orphans.hold(origin, prepared) {
                    self.problem(Problem::Orphan { origin, hash, parent });
                }
                continue;
            }
            let progress = &mut self.summary.progress;
            match self.chainstate.process(prepared, unix_time())? {
                Accepted::Stored => progress.stored = progress.stored.saturating_add(1),
                Accepted::Known => progress.known = progress.known.saturating_add(1),
                Accepted::Rejected(why) => self.problem(Problem::Rejected { origin, hash, why }),
            }
            ready.extend(self.orphans.release(hash));
        }
        Ok(())
    }

    fn events(&mut self) {
        while let Some(event) = self.chainstate.poll() {
            match event {
                Event::Connected { transactions, .. } => {
                    self.since = self.since.saturating_add(1);
                    let progress = &mut self.summary.progress;
                    progress.transactions = progress.transactions.saturating_add(transactions.into());
                }
                Event::Disconnected { hash, height } => tracing::info!(%hash, height, "disconnected"),
                Event::Invalid { hash, height, why } => self.problem(Problem::Invalid { hash, height, why }),
            }
        }
        self.summary.progress.height = self.chainstate.tree().height(self.chainstate.verified_tip());
    }

    fn problem(&mut self, problem: Problem) {
        self.summary.problem_count = self.summary.problem_count.saturating_add(1);
        if self.summary.problems.len() < LISTED_PROBLEMS {
            self.summary.problems.push(problem);
        }
    }

    fn commit_if_due(&mut self) -> Result<(), Error> {
        if self.options.commit_blocks.is_some_and(|most| self.since >= most) || self.chainstate.commit_due() {
            self.since = 0;
            self.chainstate.commit()?;
            tracing::debug!(height = self.chainstate.tree().height(self.chainstate.tip()), "commits");
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        for (origin, hash, parent) in std::mem::take(&mut self.orphans).into_left() {
            self.problem(Problem::Orphan { origin, hash, parent });
        }
        self.chainstate.flush()?;
        self.events();
        let Progress { read, stored, known, height, .. } = self.summary.progress;
        tracing::info!(read, stored, known, height, "imported and committed");
        Ok(())
    }
}

/// Seconds since 1970; header rules need them to tell headers from the future.
pub(crate) fn unix_time() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}
