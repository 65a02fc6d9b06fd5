//! What the swarm does on every connection, put together.

use std::path::Path;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, autonat, identify, mdns, ping, relay};

use crate::config::{self, Config};
use crate::error::StartError;
use crate::{limits, reach, records, service, session, topics};

/// Everything. The first of them refuse connections, so they come first.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Behaviour {
    pub(super) limits: limits::Behaviour,
    pub(super) session: session::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) kad: Toggle<service::Kad>,
    pub(super) topics: topics::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) gateway: Toggle<reach::gateway::Behaviour>,
    pub(super) probe: autonat::v2::client::Behaviour,
    pub(super) prober: autonat::v2::server::Behaviour,
    pub(super) relay: Toggle<reach::relaying::Behaviour>,
    pub(super) relayed: reach::relayed::Behaviour,
    pub(super) punch: Toggle<reach::punching::Behaviour>,
    /// With identify in it.
    pub(super) candidates: reach::candidates::Behaviour,
}

impl Behaviour {
    /// Puts it together.
    ///
    /// # Errors
    /// If the records can't be opened, or the system refuses what mDNS needs.
    pub(super) fn new(config: &Config, keys: &Keypair, relayed: relay::client::Behaviour) -> Result<Self, StartError> {
        let us = keys.public().to_peer_id();
        let introduction = identify::Config::new(config.chain.network().to_string(), keys.public())
            .with_agent_version(config.agent.clone())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let in_memory = config.listen.memory.is_some();
        let mdns = (config.find.mdns && !in_memory).then(|| multicast(us)).flatten();
        let kad = match config.find.dht {
            true => Some(dht(config, us)?),
            false => None,
        };
        Ok(Self {
            limits: limits::Behaviour::new(&config.limits),
            session: session::Behaviour::new(config.chain.session_protocol()),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT)),
            kad: kad.into(),
            topics: topics::Behaviour::new(keys, &config.chain),
            mdns: mdns.into(),
            gateway: (config.reach.upnp && !in_memory)
                .then(|| reach::gateway::Behaviour::new(reach::interfaces::route))
                .into(),
            probe: autonat::v2::client::Behaviour::default(),
            prober: autonat::v2::server::Behaviour::default(),
            relay: config.reach.relay.then(|| relay_for_others(us, &config.reach.relaying)).into(),
            relayed: reach::relayed::Behaviour::new(relayed),
            punch: config.reach.punch.then(|| reach::punching::Behaviour::new(us)).into(),
            candidates: reach::candidates::Behaviour::new(reach::introduction::Behaviour::new(&introduction)),
        })
    }
}

/// How often each connection is asked for a sign of life. One over which nothing comes within this and [`PING_TIMEOUT`] is
/// given up by its transport (`transport::yamux::silence`, and QUIC's own idle time).
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Time for the answer. A peer that is heard otherwise may miss one: it is left after the second.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// mDNS; without it if the system refuses it, since no way to find peers is needed.
fn multicast(us: PeerId) -> Option<mdns::tokio::Behaviour> {
    mdns::tokio::Behaviour::new(mdns::Config::default(), us)
        .inspect_err(|error| tracing::warn!(%error, "no mDNS: peers on the local network are not found by themselves"))
        .ok()
}

fn dht(config: &Config, us: PeerId) -> Result<service::Kad, StartError> {
    let directory = config.directory.as_deref();
    let store = records::Store::open(us, directory, &config.records)
        .map_err(|error| error.at(directory.unwrap_or_else(|| Path::new("memory"))))?;
    Ok(service::behaviour(us, &config.chain, &config.records, store))
}

fn relay_for_others(us: PeerId, relaying: &config::Relaying) -> reach::relaying::Behaviour {
    let config = relay::Config {
        max_reservations: relaying.reservations,
        max_circuits: relaying.circuits,
        max_circuits_per_peer: relaying.circuits_per_peer,
        max_circuit_duration: relaying.duration,
        max_circuit_bytes: relaying.bytes,
        ..relay::Config::default()
    };
    reach::relaying::Behaviour::new(relay::Behaviour::new(us, config))
}
