//! What the components of a node are told.

use std::sync::Arc;

use yap_api::backend::Mining;
use yap_api::server;
use yap_chain::bitcoin::ScriptBuf;
use yap_chain::mempool;
use yap_chain::producer::Key;
use yap_chain::spec::Spec;
use yap_net::config::{Find, Limits, Listen, Reach, Tls};

use super::{Config, Error};
use crate::home::Home;
use crate::node::{Builder, Node};
use crate::{admission, chainstate};

/// The file in a chain's directory by which its owner's programs are let in.
const COOKIE: &str = ".cookie";

impl Config {
    /// A node of that chain in its place, told all of this.
    ///
    /// # Errors
    /// If the address to mine for is none of the chain, or the producer's key can't be used where it is needed.
    pub fn builder(&self, spec: &Arc<Spec>, home: &Home) -> Result<Builder, Error> {
        let key = self.producer_key(spec, home)?;
        let p2p = &self.p2p;
        let tls = p2p.tls_certificate.clone().zip(p2p.tls_key.clone());
        let tls = tls.map(|(certificate, key)| Tls { certificate, key });
        let listen = Listen {
            port: home.p2p_port(),
            hosts: p2p.listen.clone(),
            tls,
            memory: None,
            external: p2p.external.clone(),
        };
        let registry = if p2p.registry { yap_net::default_registry() } else { None };
        let find = Find { mdns: p2p.mdns, registry, dht: p2p.dht, trust: p2p.trust.clone() };
        let reach = Reach { upnp: p2p.upnp, relay: p2p.relay, punch: p2p.punch, ..Reach::default() };
        let limits = Limits { inbound: p2p.max_inbound, outbound: p2p.max_outbound, ..Limits::default() };
        let http = home.http_port().map(|port| server::Config {
            addresses: vec![(self.http.listen, port).into()],
            allow_hosts: self.http.allow_hosts.clone(),
            allow_origins: self.http.allow_origins.clone(),
            ..server::Config::new(home.directory().join(COOKIE))
        });
        let builder = Node::builder(Arc::clone(spec), home.directory())
            .listen(listen)
            .peers(p2p.peers.clone())
            .only_peers(p2p.only_peers)
            .find(find)
            .reach(reach)
            .limits(limits)
            .ledger(self.ledger())
            .mempool(self.admission(), self.mempool.persist)
            .http(http)
            .wallet(self.wallet);
        let mode = self.mining_mode(spec, key.is_some());
        Ok(builder.producer(key).mining(mode, self.mining_threads(), self.mining_script(spec)?))
    }

    /// The key that signs blocks, where the chain names it.
    fn producer_key(&self, spec: &Spec, home: &Home) -> Result<Option<Key>, Error> {
        // Two nodes that sign with one key could sign two blocks at one height, which no honest producer does.
        let Some(producers) = spec.producers().filter(|_| home.number() == 1) else { return Ok(None) };
        let key = self.producer().open().map_err(Box::new)?;
        Ok(key.filter(|key| producers.place(&key.public()).is_some()))
    }

    /// Who gets what is mined, if it is said.
    fn mining_script(&self, spec: &Spec) -> Result<Option<ScriptBuf>, Error> {
        let Some(address) = &self.mining.address else { return Ok(None) };
        let script = yap_chain::address::parse(address, &spec.addresses).map_err(|cause| Error::Address {
            origin: self.origin("mining.address"),
            address: address.clone(),
            cause: Box::new(cause),
        })?;
        Ok(Some(script))
    }

    /// How the ledger is opened.
    #[must_use]
    pub fn ledger(&self) -> chainstate::Options {
        let mib = |number: u32| u64::from(number).saturating_mul(1 << 20);
        let storage = &self.storage;
        chainstate::Options {
            threads: storage.threads,
            cache_bytes: usize::try_from(mib(storage.cache_mb)).unwrap_or(usize::MAX),
            prune_bytes: (storage.prune_mb > 0).then(|| mib(storage.prune_mb)),
            trust: storage.trust,
            ..chainstate::Options::default()
        }
    }

    /// How transactions are admitted.
    #[must_use]
    pub fn admission(&self) -> admission::Options {
        let limits = mempool::Limits {
            usage: usize::try_from(u64::from(self.mempool.max_mb).saturating_mul(1_000_000)).unwrap_or(usize::MAX),
            expiry: u64::from(self.mempool.expiry_hours).saturating_mul(60 * 60),
            ..mempool::Limits::default()
        };
        admission::Options { limits, threads: self.storage.threads, ..admission::Options::default() }
    }

    /// When the node mines.
    #[must_use]
    pub fn mining_mode(&self, spec: &Arc<Spec>, produces: bool) -> Mining {
        self.mining.mode.unwrap_or_else(|| crate::node::usual_mining(spec, produces))
    }

    /// Threads that mine: where nothing is said, one core is left to everything else.
    #[must_use]
    pub fn mining_threads(&self) -> usize {
        if self.mining.threads > 0 {
            return self.mining.threads;
        }
        std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
    }
}
