//! `yap import`: blocks from files, every rule and script checked.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::chainstate::{Chainstate, Options, Trust};
use crate::import::{self, Progress, Source, Summary};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Files in blk framing (magic, length, block), in any order; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Take the scripts of this block and its ancestors as valid; all other rules are checked all the same. `0`
    /// verifies every script [default: as the chain says].
    #[arg(long, value_name = "HASH")]
    assume_valid: Option<String>,
    /// Threads that verify scripts [default: one per core].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Memory for unspent outputs, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(4..=65_536))]
    dbcache: u32,
    /// Keep only so many MiB of block files.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(550..))]
    prune: Option<u32>,
    /// Commit after every N connected blocks, not just when memory is full and at the end.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    commit_blocks: Option<u32>,
}

impl Import {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let spec = global.spec()?;
        let directory = global.directory(&spec)?;
        let threads = self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let options = Options {
            threads,
            cache_bytes: usize::try_from(self.dbcache).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            trust: self.trust()?,
            prune_bytes: self.prune.map(|mib| u64::from(mib).saturating_mul(1 << 20)),
            ..Options::default()
        };
        global.enter(&directory)?;
        let mut chainstate = Chainstate::open(&directory, Arc::new(spec), options)?;
        let height = chainstate.tree().height(chainstate.tip());
        tracing::info!(directory = %directory.display(), height, threads, "opened");
        let stop = stop_on_signal();
        let sources = self.sources();
        let mut progress = Bar::new(&sources);
        let options = import::Options { threads: threads.div_ceil(2), commit_blocks: self.commit_blocks };
        let summary = import::import(&mut chainstate, &sources, options, &stop, &mut |now| progress.show(now))?;
        progress.clear();
        tell(output, &summary);
        output.fields(describe(&chainstate, &summary))?;
        chainstate.close()?;
        Ok(if summary.stopped {
            Ending::Stopped
        } else if summary.problem_count > 0 {
            Ending::Refused
        } else {
            Ending::Done
        })
    }

    fn sources(&self) -> Vec<Source> {
        let source = |path: &PathBuf| match path.as_path() == Path::new("-") {
            true => Source::Stdin,
            false => Source::File(path.clone()),
        };
        self.files.iter().map(source).collect()
    }

    fn trust(&self) -> Result<Trust, Error> {
        match self.assume_valid.as_deref() {
            None => Ok(Trust::Spec),
            Some("0") => Ok(Trust::Nobody),
            Some(hash) => hash.parse().map(Trust::Block).map_err(|_| Error::NotAHash(hash.to_owned())),
        }
    }
}

/// True once Ctrl-C was pressed or the process was asked to end; a second time ends it at once.
pub(super) fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            // What was committed is safe whenever the process ends.
            std::process::exit(130);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(%error, "Ctrl-C will end the program at once; the next run goes on from the last commit");
    }
    stop
}

fn tell(output: &Output, summary: &Summary) {
    for problem in &summary.problems {
        output.note(problem);
    }
    let listed = u64::try_from(summary.problems.len()).unwrap_or(u64::MAX);
    if summary.problem_count > listed {
        output.note(format_args!("… and {} more problems", summary.problem_count.saturating_sub(listed)));
    }
    if summary.stopped {
        output.note("stopped; run the same command again to go on");
    }
}

fn describe(chainstate: &Chainstate, summary: &Summary) -> Fields {
    let (tree, tip) = (chainstate.tree(), chainstate.verified_tip());
    let Progress { read, stored, known, transactions, .. } = summary.progress;
    Fields::default()
        .with("chain", chainstate.spec().name.clone())
        .with("height", tree.height(tip))
        .with("bestblockhash", tree.hash(tip).to_string())
        .with("chainwork", format!("{:064x}", tree.work(tip)))
        .with("read", read)
        .with("stored", stored)
        .with("known", known)
        .with("transactions", transactions)
        .with("problems", summary.problem_count)
        .with("stopped", summary.stopped)
}

/// Progress on a terminal, or a line of log every ten seconds elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
    logged: Instant,
    started: Instant,
}

/// Time between two lines of progress in a log.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

impl Bar {
    fn new(sources: &[Source]) -> Self {
        let size = |source: &Source| match source {
            Source::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
            Source::Stdin => None,
        };
        let total: Option<u64> = sources.iter().map(size).sum();
        let bar = io::stderr().is_terminal().then(|| {
            let (bar, template) = match total {
                Some(total) => (ProgressBar::new(total), "{bar:30} {percent:>3}%  {msg}  {eta} left"),
                None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
            };
            // The templates are constant; a wrong one would show in the first run.
            bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Self { bar, logged: now, started: now }
    }

    fn show(&mut self, progress: &Progress) {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let rate = (progress.read as f64 / seconds, progress.transactions as f64 / seconds);
        if let Some(bar) = &self.bar {
            bar.set_position(progress.bytes);
            bar.set_message(format!("height {}  {:.0} blocks/s  {:.0} tx/s", progress.height, rate.0, rate.1));
        } else if self.logged.elapsed() >= LOG_INTERVAL {
            self.logged = Instant::now();
            tracing::info!(height = progress.height, bytes = progress.bytes, "importing");
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
