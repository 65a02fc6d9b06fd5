//! Everything that a node is told when it starts, and where each value comes from.
//!
//! A value is taken from the first of these that has it: a flag, the environment, the file `yap.toml` in the data
//! directory, the default. [`KEYS`] is the one table of all that can be set: flags, environment, file, `yap config` and
//! `docs/configuration.md` are made from it, so none of them knows a key that another does not.
//!
//! | what | name of the key `p2p.port` | rule |
//! |---|---|---|
//! | flag | `--p2p-port` | as the table says |
//! | environment | `YAP_P2P_PORT` | `YAP_`, then the key in capitals with `_` for `.`; some have a short name too: `P2P_PORT` |
//! | file | `port` in `[p2p]` | the key itself |
//!
//! Not its job: to look whether a directory or port is free ([`home`](crate::home)), and what the components make of it.

mod convert;
mod environment;
mod error;
mod file;
mod key;
mod keys;
mod near;
mod reference;
mod value;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use yap_api::backend::Mining;
use yap_net::Given;
use yap_net::config::Hosts;

use crate::chainstate::Trust;
use crate::producer;

pub use self::environment::Environment;
pub use self::error::{Error, Warning, Wrong};
pub use self::key::{Flag, Key, Scope};
pub use self::keys::KEYS;
pub use self::reference::reference;

/// Name of the file in the data directory.
pub const FILE: &str = "yap.toml";

/// Name of the data directory in the user's home.
pub const DATA_DIR: &str = ".yap";

/// Most bytes of the file that are read; a longer one is refused.
pub const MOST_FILE_BYTES: u64 = 1 << 20;

/// The port of the HTTP interface if nothing else is said.
pub const HTTP_PORT: u16 = 3001;

/// What a user types on the command line, by the names of the keys.
pub type Flags = BTreeMap<&'static str, String>;

/// Everything that a node is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// A built-in chain's name, or the file that describes one.
    pub chain: String,
    /// Directory that holds all state; each chain has its own directory in it.
    pub data_dir: PathBuf,
    /// Peers, and how we listen to them.
    pub p2p: P2p,
    /// The interface for programs and users.
    pub http: Http,
    /// Making blocks.
    pub mining: Miner,
    /// Whether the node has a wallet.
    pub wallet: bool,
    /// Transactions that wait.
    pub mempool: Mempool,
    /// What is kept on disk and in memory.
    pub storage: Storage,
    /// What the node says while it runs.
    pub log: Log,
    /// Where each value comes from, by the names of the keys; what is not there is by default.
    origins: BTreeMap<&'static str, Origin>,
    /// What the user may want to know about the values.
    warnings: Vec<Warning>,
}

/// Peers, and how we listen to them.
#[derive(Clone, Debug)]
pub struct P2p {
    /// Port of TCP and UDP; 0: any that is free.
    pub port: u16,
    /// On which addresses we listen.
    pub listen: Hosts,
    /// Peers that are kept connected.
    pub peers: Vec<Given>,
    /// Dial those alone.
    pub only_peers: bool,
    /// Addresses under which we are reached, as multiaddrs, besides those that are found out.
    pub external: Vec<String>,
    /// Find peers in the local network by multicast.
    pub mdns: bool,
    /// Find nodes of the same user on this machine.
    pub registry: bool,
    /// Find peers by the DHT.
    pub dht: bool,
    /// Ask the router to forward our port.
    pub upnp: bool,
    /// Be a relay for others while we are publicly reachable.
    pub relay: bool,
    /// Punch holes to replace relayed connections by direct ones.
    pub punch: bool,
    /// Certificate (PEM) for secure WebSocket.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// PEM files of authorities that are trusted besides the usual ones.
    pub trust: Vec<PathBuf>,
    /// Connections that others opened, at most.
    pub max_inbound: u32,
    /// Connections that we opened, at most.
    pub max_outbound: u32,
}

/// The interface for programs and users.
#[derive(Clone, Debug)]
pub struct Http {
    /// Whether there is one.
    pub enabled: bool,
    /// The address on which it listens.
    pub listen: IpAddr,
    /// Its port; 0: any that is free.
    pub port: u16,
    /// Names under which it may be called, besides those of this machine.
    pub allow_hosts: Vec<String>,
    /// Web pages that may call it, as origins (`https://example.org`).
    pub allow_origins: Vec<String>,
}

/// Making blocks.
#[derive(Clone, Debug, Default)]
pub struct Miner {
    /// When; if it is not said, on demand on the chain `local` and never elsewhere.
    pub mode: Option<Mining>,
    /// Threads; 0: one per core but one.
    pub threads: usize,
    /// Who gets what is mined; the wallet, if it is not said.
    pub address: Option<String>,
    /// Where the key is that signs blocks; in the data directory, if it is not said.
    pub producer_dir: Option<PathBuf>,
}

/// Transactions that wait.
#[derive(Clone, Debug)]
pub struct Mempool {
    /// Memory in units of 1,000,000 bytes.
    pub max_mb: u32,
    /// Hours after which a transaction leaves.
    pub expiry_hours: u32,
    /// Keep them over a restart.
    pub persist: bool,
}

/// What is kept on disk and in memory.
#[derive(Clone, Debug)]
pub struct Storage {
    /// MiB of block files to keep; 0: all.
    pub prune_mb: u32,
    /// MiB of memory for unspent outputs.
    pub cache_mb: u32,
    /// Threads that verify scripts; 0: one per core.
    pub threads: usize,
    /// Whose word is taken for the scripts of old blocks.
    pub trust: Trust,
}

/// What the node says while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Which lines.
    pub level: tracing::Level,
    /// In which form.
    pub format: Format,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for P2p {
    fn default() -> Self {
        let limits = yap_net::config::Limits::default();
        Self {
            port: yap_net::config::PORT,
            listen: Hosts::All,
            peers: Vec::new(),
            only_peers: false,
            external: Vec::new(),
            mdns: true,
            registry: true,
            dht: true,
            upnp: true,
            relay: true,
            punch: true,
            tls_certificate: None,
            tls_key: None,
            trust: Vec::new(),
            max_inbound: limits.inbound,
            max_outbound: limits.outbound,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: Ipv4Addr::LOCALHOST.into(),
            port: HTTP_PORT,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
        }
    }
}

impl Default for Mempool {
    fn default() -> Self {
        Self { max_mb: 300, expiry_hours: 336, persist: true }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { prune_mb: 0, cache_mb: 64, threads: 0, trust: Trust::default() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: tracing::Level::INFO, format: Format::default() }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was said.
    #[default]
    Default,
    /// The file.
    File {
        /// Which.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// The command line.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl Config {
    /// All defaults, with that data directory.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            chain: "local".to_owned(),
            data_dir,
            p2p: P2p::default(),
            http: Http::default(),
            mining: Miner::default(),
            wallet: true,
            mempool: Mempool::default(),
            storage: Storage::default(),
            log: Log::default(),
            origins: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// Puts together what was typed, what the environment says and what the file says.
    ///
    /// # Errors
    /// [`Error`], which names the place of what is wrong.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, Error> {
        let mut config = Self::new(PathBuf::new());
        environment.apply(&mut config)?;
        for key in KEYS {
            if let Some(text) = flags.get(key.name) {
                config.set(key, value::Value::Text(text), Origin::Flag(key.flag.name()))?;
            }
        }
        if !config.is_given("data_dir") {
            config.data_dir = environment.home().ok_or(Error::NoHome)?.join(DATA_DIR);
        }
        let named = flags.get("config").cloned().or_else(|| environment.file());
        let path = named.as_ref().map_or_else(|| config.data_dir.join(FILE), PathBuf::from);
        if let Some(text) = file::read(&path, named.is_some())? {
            file::apply(&mut config, &text, &path)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Where a key's value comes from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.origins.get(name).cloned().unwrap_or_default()
    }

    /// Whether somebody said a key's value.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }

    /// Where this node's producer key is, or would be.
    #[must_use]
    pub fn producer(&self) -> producer::Files {
        producer::Files::new(self.mining.producer_dir.as_deref().unwrap_or(&self.data_dir))
    }

    /// What the user may want to know about the values.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Every key with its value and where that comes from.
    pub fn values(&self) -> impl Iterator<Item = (&'static Key, serde_json::Value, Origin)> {
        KEYS.iter().map(|key| (key, (key.show)(self), self.origin(key.name)))
    }

    /// Takes a value, unless one of a better origin is there.
    fn set(&mut self, key: &'static Key, value: value::Value<'_>, origin: Origin) -> Result<(), Error> {
        let better = |there: &Origin| rank(there) > rank(&origin);
        if self.origins.get(key.name).is_some_and(better) {
            // What is wrong is told even where it does not matter now.
            let mut unused = Self::new(PathBuf::new());
            return (key.set)(&mut unused, &value).map_err(|wrong| Error::value(key, &value, origin, wrong));
        }
        (key.set)(self, &value).map_err(|wrong| Error::value(key, &value, origin.clone(), wrong))?;
        self.origins.insert(key.name, origin);
        Ok(())
    }

    /// What no key shows by itself.
    fn check(&self) -> Result<(), Error> {
        match (&self.p2p.tls_certificate, &self.p2p.tls_key) {
            (Some(_), None) => Err(Error::Alone { there: "p2p.tls_certificate", missing: "p2p.tls_key" }),
            (None, Some(_)) => Err(Error::Alone { there: "p2p.tls_key", missing: "p2p.tls_certificate" }),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// The directory of a chain's state, for the first node of a data directory.
    #[must_use]
    pub fn directory(&self, chain: &str) -> PathBuf {
        Path::new(&self.data_dir).join(chain)
    }
}

/// The higher it is, the more it counts.
fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::File { .. } => 1,
        Origin::Environment(_) => 2,
        Origin::Flag(_) => 3,
    }
}

#[cfg(test)]
mod tests;
