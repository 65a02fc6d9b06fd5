//! What the components of a node are told.

use std::sync::Arc;

use yap_api::backend::Mining;
use yap_chain::mempool;
use yap_chain::spec::Spec;
use yap_net::config::{Chain, Find, Limits, Listen, Reach, Tls};
use yap_net::identity::Keys;

use super::Config;
use crate::{admission, chainstate};

impl Config {
    /// What the network is told. `port` is the one that was found to be free; records are kept in `directory`.
    #[must_use]
    pub fn network(&self, keys: Keys, spec: &Spec, port: u16) -> yap_net::Config {
        let p2p = &self.p2p;
        let chain = Chain { name: spec.name.clone(), genesis: spec.genesis.block_hash(), magic: spec.magic };
        let tls =
            p2p.tls_certificate.clone().zip(p2p.tls_key.clone()).map(|(certificate, key)| Tls { certificate, key });
        let mut config = yap_net::Config::new(keys, chain);
        config.listen = Listen { port, hosts: p2p.listen.clone(), tls, memory: None, external: p2p.external.clone() };
        config.peers.clone_from(&p2p.peers);
        config.find = Find {
            mdns: p2p.mdns,
            registry: if p2p.registry { yap_net::default_registry() } else { None },
            dht: p2p.dht,
            trust: p2p.trust.clone(),
        };
        config.reach = Reach { upnp: p2p.upnp, relay: p2p.relay, punch: p2p.punch, ..Reach::default() };
        config.limits = Limits { inbound: p2p.max_inbound, outbound: p2p.max_outbound, ..Limits::default() };
        config
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
    pub fn mining_mode(&self, spec: &Arc<Spec>) -> Mining {
        let default = if spec.name == "local" { Mining::OnDemand } else { Mining::Off };
        self.mining.mode.unwrap_or(default)
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
