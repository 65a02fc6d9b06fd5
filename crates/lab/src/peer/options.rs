//! How a peer is started: by a program as values, by a user as arguments.

use std::path::{Path, PathBuf};

use clap::Parser;
use yap_chain::spec::Spec;
use yap_net::config::{self, Chain, Find, Hosts, Listen, Reach, Tls};
use yap_net::given::{self, GivenError};
use yap_net::identity::Keys;
use yap_net::{Config, Given};

use super::{Home, StartError, chain};

/// How a peer is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it keeps everything; made if it is not there.
    pub data: PathBuf,
    /// What it is called, for its peers.
    pub name: Option<String>,
    /// The rules of its chain.
    pub spec: Spec,
    /// Where it listens.
    pub listen: Listen,
    /// Peers that it is connected to for as long as they can be reached.
    pub peers: Vec<Given>,
    /// How it finds others.
    pub find: Find,
    /// How it is reached.
    pub reach: Reach,
    /// What others may take of it.
    pub limits: config::Limits,
}

impl Options {
    /// A peer of this machine alone, on any free port, that finds nobody by itself: for tests.
    #[must_use]
    pub fn loopback(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            name: None,
            spec: chain::built_in(),
            listen: Listen { port: 0, hosts: Hosts::Loopback, ..Listen::default() },
            peers: Vec::new(),
            find: Find { mdns: false, registry: None, ..Find::default() },
            reach: Reach { upnp: false, ..Reach::default() },
            limits: config::Limits::default(),
        }
    }

    /// What the network is told.
    pub(super) fn config(&self, home: &Home, keys: Keys) -> Config {
        let chain =
            Chain { name: self.spec.name.clone(), genesis: self.spec.genesis.block_hash(), magic: self.spec.magic };
        let mut config = Config::new(keys, chain);
        config.agent.clone_from(&home.agent);
        config.listen = self.listen.clone();
        config.peers.clone_from(&self.peers);
        config.directory = Some(self.data.join("records"));
        config.find = self.find.clone();
        config.reach = self.reach.clone();
        config.limits = self.limits.clone();
        config
    }
}

/// One peer with a small test ledger, told what to do by JSON lines on standard input.
#[derive(Clone, Debug, Parser)]
#[command(name = "yap-peer", version)]
pub struct Arguments {
    /// Where it keeps its key, its peers, its blocks and its records.
    #[arg(long)]
    data: PathBuf,
    /// Port of TCP and UDP; 0 for any that is free.
    #[arg(long, env = "P2P_PORT", default_value_t = config::PORT)]
    port: u16,
    /// Peers to connect to, separated by commas or white space.
    #[arg(long, env = "PEERS", default_value = "")]
    peers: String,
    /// What it is called, for its peers and in logs.
    #[arg(long)]
    name: Option<String>,
    /// Listen on this machine's own addresses alone.
    #[arg(long)]
    loopback: bool,
    /// Don't look for peers by multicast.
    #[arg(long)]
    no_mdns: bool,
    /// Don't look for peers of this host.
    #[arg(long)]
    no_registry: bool,
    /// Don't ask the router to forward the port.
    #[arg(long)]
    no_upnp: bool,
    /// Don't relay for others.
    #[arg(long)]
    no_relay: bool,
    /// A multiaddr under which it is reached, besides those that it finds out.
    #[arg(long)]
    external: Vec<String>,
    /// Where the peers of this host meet, instead of the user's runtime directory.
    #[arg(long)]
    runtime: Option<PathBuf>,
    /// Certificate for secure WebSocket, a PEM file.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A certificate authority that secure WebSocket trusts besides the usual ones, a PEM file.
    #[arg(long)]
    trust: Vec<PathBuf>,
    /// The chain, a TOML file; the same for every peer that is to know this one.
    #[arg(long)]
    chain: Option<PathBuf>,
    /// What is logged to standard error, such as `yap_net=debug,info`.
    #[arg(long, env = "LOG", default_value = "warn,libp2p_kad=error,libp2p_gossipsub=off")]
    log: String,
}

/// Why arguments are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// One of the peers.
    #[error(transparent)]
    Peers(#[from] GivenError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::Error),
}

impl From<ArgumentError> for StartError {
    fn from(error: ArgumentError) -> Self {
        Self::Arguments(error)
    }
}

impl Arguments {
    /// What is logged, in the form of `tracing_subscriber`'s `Targets`.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The same as values.
    ///
    /// # Errors
    /// If a peer has no form that is known, or the chain can't be read.
    pub fn options(self) -> Result<Options, ArgumentError> {
        let peers = given::parse_list(&self.peers)?;
        let spec = match &self.chain {
            Some(path) => chain::read(path)?,
            None => chain::built_in(),
        };
        let tls = self.tls_cert.zip(self.tls_key).map(|(certificate, key)| Tls { certificate, key });
        let hosts = if self.loopback { Hosts::Loopback } else { Hosts::All };
        let registry = self.runtime.or_else(yap_net::default_registry).filter(|_| !self.no_registry);
        Ok(Options {
            data: self.data,
            name: self.name,
            spec,
            listen: Listen { port: self.port, hosts, tls, external: self.external, ..Listen::default() },
            peers,
            find: Find { mdns: !self.no_mdns, registry, trust: self.trust, ..Find::default() },
            reach: Reach { upnp: !self.no_upnp, relay: !self.no_relay, ..Reach::default() },
            limits: config::Limits::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Options {
        let words = ["yap-peer"].into_iter().chain(words.split_whitespace());
        Arguments::try_parse_from(words).unwrap().options().unwrap()
    }

    #[test]
    fn arguments_say_everything() {
        let options = parse(
            "--data /tmp/x --port 7001 --peers 10.0.0.1:6001,ws://b.example:80 --name a --loopback --no-mdns --no-upnp \
             --no-relay --external /ip4/11.0.0.1/tcp/1 --runtime /run/y --tls-cert c --tls-key k --trust t",
        );
        assert_eq!((options.listen.port, options.peers.len()), (7001, 2));
        assert_eq!(options.listen.hosts, Hosts::Loopback);
        assert!(!options.find.mdns && !options.reach.upnp && !options.reach.relay);
        assert_eq!(options.find.registry, Some("/run/y".into()));
        assert_eq!(options.listen.external, ["/ip4/11.0.0.1/tcp/1"]);
        assert!(options.listen.tls.is_some());
        assert_eq!(options.find.trust, [PathBuf::from("t")]);
        assert_eq!(parse("--data /tmp/x --no-registry --runtime /run/y").find.registry, None);
    }

    #[test]
    fn a_peer_in_no_known_form_is_told() {
        let arguments = Arguments::try_parse_from(["yap-peer", "--data", "x", "--peers", "http://a:1"]).unwrap();
        assert!(matches!(arguments.options(), Err(ArgumentError::Peers(_))));
    }
}
