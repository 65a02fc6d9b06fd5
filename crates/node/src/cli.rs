//! The `yap` command: flags, output and exit codes. What it does is in the library; this is how it is asked and told.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed, or part of the input was refused; standard error says what |
//! | 2 | the command line, the environment or the configuration file was wrong |
//! | 3 | no node runs that could be asked |
//! | 130 | stopped by Ctrl-C; the same command goes on |

mod block;
mod chain;
mod client;
mod completions;
mod config;
mod demo;
mod export;
mod import;
mod mend;
mod output;
mod producer;
mod settings;
mod up;
mod utxo;
mod verify;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args, Parser, Subcommand};
use yap_chain::spec::{NAMES, Spec};

pub use self::client::{AmountError, Error as ClientError};
pub use self::demo::{Error as DemoError, LastWords};
use self::output::Output;
use self::settings::{Everywhere, OfNode};
use crate::chainstate::{self, Chainstate, Options};
use crate::config::{Config, Environment, Flags, Key};
use crate::home::{self, Running};

/// Name of the cookie file in a chain's directory, as Bitcoin Core's.
const COOKIE: &str = ".cookie";

/// Bitcoin's money and rules without anybody in the middle. Without a command, starts a node (as `yap up`).
#[derive(Debug, Parser)]
#[command(name = "yap", version, propagate_version = true)]
#[command(
    after_help = "Example:\n  yap --chain regtest import vectors/regtest-160.blk\n  yap --chain regtest utxo --muhash"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    node: OfNode<false>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    #[command(flatten)]
    settings: Everywhere,
    /// Print one JSON object, with Bitcoin Core's field names.
    #[arg(long, global = true)]
    json: bool,
    /// Say more on standard error; twice for details.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    /// What flags, environment and file say together, once it was asked for.
    #[arg(skip)]
    config: OnceCell<Config>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a node: it finds peers, keeps the ledger and the wallet, and runs until Ctrl-C. So does `yap` by itself.
    Up(up::Up),
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
    /// Make or show the key by which this node signs blocks, on chains whose blocks are signed by agreed producers.
    #[command(subcommand)]
    Producer(producer::Producer),
    /// Show what is set, and where each value comes from.
    Config(config::Show),
    /// Show what it can do: three nodes on this computer, step by step.
    Demo(demo::Demo),
    /// Print the completions of a shell.
    Completions(completions::Completions),
    #[command(flatten)]
    Client(client::Client),
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
    /// Flags, environment or file are wrong.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
    /// A flag of `yap up` was given to another command.
    #[error("--{0} belongs to `yap up`: it says how a node is started")]
    NodeFlag(&'static str),
    /// The node's directory or ports can't be had.
    #[error(transparent)]
    Home(#[from] home::Error),
    /// The node did not start.
    #[error(transparent)]
    Start(#[from] Box<crate::node::StartError>),
    /// The node failed while it ran.
    #[error("the node stopped: {0}")]
    Node(#[source] Arc<chainstate::Error>),
    /// The system gives no threads.
    #[error("the system gives no threads: {0}")]
    Threads(#[source] std::io::Error),
    /// No node runs that could be asked.
    #[error(transparent)]
    NotRunning(#[from] home::NotRunning),
    /// The node was not asked, or refused.
    #[error(transparent)]
    Client(Box<client::Error>),
    /// The demonstration did not go as it should.
    #[error("the demonstration failed: {0}")]
    Demo(Box<demo::Error>),
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
    /// Not a producer's key.
    #[error("{0:?} is not a producer's key: 66 hexadecimal digits are expected, as `yap producer new` shows them")]
    NotAProducer(String),
    /// The keys make no challenge.
    #[error("no such chain can be made: {0}")]
    Producers(#[from] yap_chain::producer::Error),
    /// The producer's key can't be made or used.
    #[error(transparent)]
    Producer(#[from] crate::producer::Error),
    /// There is no producer's key.
    #[error("there is no producer's key here ({} is not there): `yap producer new` makes one", path.display())]
    NoProducer {
        /// Where it would be.
        path: PathBuf,
    },
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

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<demo::Error> for Error {
    fn from(error: demo::Error) -> Self {
        if let demo::Error::Output(cause) = error { Self::Output(cause) } else { Self::Demo(Box::new(error)) }
    }
}

impl Error {
    /// A file that could not be opened for writing.
    fn file(path: PathBuf, cause: std::io::Error) -> Self {
        let exists = cause.kind() == std::io::ErrorKind::AlreadyExists;
        if exists { Self::Exists { path } } else { Self::File { path, cause } }
    }

    /// The exit code that tells of it.
    fn code(&self) -> ExitCode {
        let no_node = matches!(self, Self::Client(error) if error.is_no_node());
        if no_node || matches!(self, Self::NotRunning(_)) {
            ExitCode::from(3)
        } else if self.is_usage() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    }

    /// Whether what was typed, or written into a file for the node to read, is wrong, whatever the ledger holds.
    fn is_usage(&self) -> bool {
        if let Self::Client(error) = self {
            return error.is_usage();
        }
        matches!(
            self,
            Self::NoChain { .. }
                | Self::ChainFile { .. }
                | Self::NewChain { .. }
                | Self::NotAHash(_)
                | Self::NotAScript(_)
                | Self::NotAProducer(_)
                | Self::Producers(_)
                | Self::Config(_)
                | Self::NodeFlag(_)
        )
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
    // A node that is started has a log of its own kind.
    if !matches!(cli.command, None | Some(Command::Up(_))) {
        output::start_log(cli.global.verbose);
    }
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
            error.code()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<Ending, Error> {
    if let Some((name, _)) = cli.node.0.iter().next()
        && !matches!(cli.command, Some(Command::Config(_) | Command::Up(_)) | None)
    {
        return Err(Error::NodeFlag(Key::find(name).map_or(name, |key| key.flag.name())));
    }
    let global = &cli.global;
    match &cli.command {
        None => up::Up::default().run(global, &cli.node.0, output),
        Some(Command::Up(up)) => up.run(global, &cli.node.0, output),
        Some(Command::Import(import)) => import.run(global, output),
        Some(Command::Export(export)) => export.run(global, output),
        Some(Command::Utxo(utxo)) => utxo.run(global, output),
        Some(Command::Block(block)) => block.run(global, output),
        Some(Command::Verify(verify)) => verify.run(global, output),
        Some(Command::Chain(chain)) => chain.run(global, output),
        Some(Command::Producer(producer)) => producer.run(global, output),
        Some(Command::Config(show)) => show.run(global, &cli.node.0, output),
        Some(Command::Demo(demo)) => demo.run(global, output),
        Some(Command::Completions(completions)) => completions.run(output),
        Some(Command::Client(client)) => client.run(global, output),
    }
}

impl Global {
    /// What flags, environment and file say together.
    fn config(&self) -> Result<&Config, Error> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = self.config_with(&Flags::new())?;
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(self.config.get_or_init(|| config))
    }

    /// The same, with flags that only some commands have.
    fn config_with(&self, more: &Flags) -> Result<Config, Error> {
        let mut flags = self.settings.0.clone();
        flags.extend(more.iter().map(|(name, value)| (*name, value.clone())));
        Ok(Config::load(&flags, &Environment::of_process())?)
    }

    /// The node that commands ask: the first that runs on the chain, or the one whose HTTP port is given.
    fn running(&self) -> Result<Running, Error> {
        let config = self.config()?;
        Ok(home::running(config, &self.spec()?.name)?)
    }

    /// The way to ask that node.
    fn link(&self) -> Result<client::Link, Error> {
        let running = self.running()?;
        let address = running.http.map(|http| http.to_string()).unwrap_or_default();
        let cookie = running.directory.join(COOKIE);
        let client = yap_api::Client::new(&address, Some(&cookie)).map_err(client::Error::Call)?;
        Ok(client::Link::new(client, Arc::new(self.spec()?)))
    }

    /// The chain's rules.
    fn spec(&self) -> Result<Spec, Error> {
        spec(&self.config()?.chain)
    }

    /// The directory that holds one chain's state.
    fn directory(&self, spec: &Spec) -> Result<PathBuf, Error> {
        Ok(self.config()?.directory(&spec.name))
    }

    /// Sees to it that no node runs in a directory whose files are about to be read or written here.
    fn enter(&self, directory: &Path) -> Result<(), Error> {
        Ok(home::check_idle(directory)?)
    }

    /// Opens the ledger, with everything committed that is there: what is shown is what is stored.
    fn open(&self, options: Options) -> Result<Chainstate, Error> {
        let spec = Arc::new(self.spec()?);
        let directory = self.directory(&spec)?;
        self.enter(&directory)?;
        let mut chainstate = Chainstate::open(&directory, spec, options)?;
        chainstate.flush()?;
        tracing::info!(directory = %directory.display(), height = chainstate.tree().height(chainstate.tip()), "opened");
        Ok(chainstate)
    }
}

/// The chain of that name, or that a file of that name describes.
fn spec(chain: &str) -> Result<Spec, Error> {
    if let Some(spec) = Spec::builtin(chain) {
        return Ok(spec);
    }
    let path = PathBuf::from(chain);
    let text = std::fs::read_to_string(&path).map_err(|cause| Error::NoChain { name: chain.to_owned(), cause })?;
    Spec::from_toml(&text).map_err(|cause| Error::ChainFile { path, cause })
}
