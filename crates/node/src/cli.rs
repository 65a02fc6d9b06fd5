//! The `yap` command: flags, output and exit codes. What it does is in the library; this is how it is asked and told.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed, or part of the input was refused; standard error says what |
//! | 2 | the command line was wrong |
//! | 130 | stopped by Ctrl-C; the same command goes on |

mod block;
mod chain;
mod export;
mod import;
mod mend;
mod output;
mod utxo;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args, Parser, Subcommand};
use yap_chain::spec::{NAMES, Spec};

use self::output::Output;
use crate::chainstate::{self, Chainstate, Options};

/// Bitcoin's money and rules without anybody in the middle.
#[derive(Debug, Parser)]
#[command(name = "yap", version, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Example:\n  yap --chain regtest import vectors/regtest-160.blk\n  yap --chain regtest utxo --muhash"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Chain: bitcoin, testnet4, signet, regtest, local, or a file that describes one (see `yap chain new`).
    #[arg(long, value_name = "NAME|FILE", env = "YAP_CHAIN", default_value = "local", global = true)]
    chain: String,
    /// Directory that holds all state; each chain has its own directory in it.
    #[arg(long, value_name = "DIR", env = "YAP_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Print one JSON object, with Bitcoin Core's field names.
    #[arg(long, global = true)]
    json: bool,
    /// Say more on standard error; twice for details.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import blocks from files in Bitcoin Core's blk framing, and verify every rule and script.
    Import(import::Import),
    /// Write the blocks of the best chain in Bitcoin Core's blk framing.
    Export(export::Export),
    /// Show totals and hashes of the set of unspent outputs.
    Utxo(utxo::Utxo),
    /// Show a block.
    Block(block::Block),
    /// Check files, index and unspent outputs against each other, and say how to mend what is damaged.
    Verify(verify::Verify),
    /// Show or make the description of a chain.
    #[command(subcommand)]
    Chain(chain::Chain),
}

/// Why a command failed, in words for whoever ran it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger cannot go on.
    #[error(transparent)]
    Chainstate(#[from] chainstate::Error),
    /// The store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] yap_store::Error),
    /// The chain is neither built in nor a readable file.
    #[error(
        "there is no chain {name:?}, and no file of that name can be read ({cause}); built in are: {}",
        NAMES.join(", ")
    )]
    NoChain {
        /// What was asked for.
        name: String,
        /// Why the file cannot be read.
        #[source]
        cause: std::io::Error,
    },
    /// The chain file is wrong.
    #[error("{}: {cause}", path.display())]
    ChainFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: yap_chain::spec::file::Error,
    },
    /// What was asked for makes no chain.
    #[error("no such chain can be made: {cause}")]
    NewChain {
        /// What is wrong with it.
        #[source]
        cause: yap_chain::spec::file::Error,
    },
    /// A file would be overwritten.
    #[error("{} is there already; --force overwrites it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No place for the data.
    #[error("no data directory: set --data-dir or YAP_DATA_DIR (the home directory is not known)")]
    NoDataDir,
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// Standard output or input failed.
    #[error("output: {0}")]
    Output(#[source] std::io::Error),
    /// The block is not there.
    #[error("no block {0} in the best chain or beside it; `yap utxo` shows the tip")]
    NoBlock(String),
    /// Not a block hash.
    #[error("{0:?} is not a block hash: 64 hexadecimal digits are expected")]
    NotAHash(String),
    /// Not a script.
    #[error("{0:?} is not a script: hexadecimal digits are expected")]
    NotAScript(String),
    /// No nonce gives the first block its proof of work.
    #[error("no first block was found for this proof of work; try again, the time in it will be another")]
    NoGenesis,
    /// A range of heights is empty or beyond the tip.
    #[error("heights {from} to {to} are not all in the best chain, whose tip is at height {tip}")]
    NoHeights {
        /// First height asked for.
        from: u32,
        /// Last height asked for.
        to: u32,
        /// Height of the tip.
        tip: u32,
    },
}

impl Error {
    /// A file that could not be opened for writing.
    fn file(path: PathBuf, cause: std::io::Error) -> Self {
        let exists = cause.kind() == std::io::ErrorKind::AlreadyExists;
        if exists { Self::Exists { path } } else { Self::File { path, cause } }
    }

    /// Whether what was typed is wrong, whatever the ledger holds.
    fn is_usage(&self) -> bool {
        matches!(self, Self::NoChain { .. } | Self::NewChain { .. } | Self::NotAHash(_) | Self::NotAScript(_))
    }
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was done.
    Done,
    /// Something was refused or found damaged, and was told.
    Refused,
    /// It was stopped by Ctrl-C.
    Stopped,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_log(cli.global.verbose);
    let output = Output::new(cli.global.json);
    match run(&cli, &output) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Refused) => ExitCode::FAILURE,
        Ok(Ending::Stopped) => ExitCode::from(130),
        // Whoever reads our output has had enough (`yap export - | head`).
        Err(Error::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let damaged = mend::is_damage(&error);
            // The ledger may be too damaged to say more than that.
            let advice = if damaged { mend::advice(&cli.global, mend::Loss::Nothing) } else { None };
            output.error(&error, advice.as_deref());
            if error.is_usage() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<Ending, Error> {
    match &cli.command {
        Command::Import(import) => import.run(&cli.global, output),
        Command::Export(export) => export.run(&cli.global, output),
        Command::Utxo(utxo) => utxo.run(&cli.global, output),
        Command::Block(block) => block.run(&cli.global, output),
        Command::Verify(verify) => verify.run(&cli.global, output),
        Command::Chain(chain) => chain.run(&cli.global, output),
    }
}

impl Global {
    /// The chain's rules.
    fn spec(&self) -> Result<Spec, Error> {
        if let Some(spec) = Spec::builtin(&self.chain) {
            return Ok(spec);
        }
        let path = PathBuf::from(&self.chain);
        let text =
            std::fs::read_to_string(&path).map_err(|cause| Error::NoChain { name: self.chain.clone(), cause })?;
        Spec::from_toml(&text).map_err(|cause| Error::ChainFile { path, cause })
    }

    /// The directory that holds one chain's state.
    fn directory(&self, spec: &Spec) -> Result<PathBuf, Error> {
        let base = match &self.data_dir {
            Some(base) => base.clone(),
            None => std::env::home_dir().ok_or(Error::NoDataDir)?.join(".yap"),
        };
        Ok(base.join(&spec.name))
    }

    /// Opens the ledger, with everything committed that is there: what is shown is what is stored.
    fn open(&self, options: Options) -> Result<Chainstate, Error> {
        let spec = Arc::new(self.spec()?);
        let directory = self.directory(&spec)?;
        let mut chainstate = Chainstate::open(&directory, spec, options)?;
        chainstate.flush()?;
        tracing::info!(directory = %directory.display(), height = chainstate.tree().height(chainstate.tip()), "opened");
        Ok(chainstate)
    }
}
