//! From a configuration to a running task.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use tokio::task::JoinHandle;

use super::Engine;
use super::behaviour::Behaviour;
use crate::clock::Clock;
use crate::config::{Config, Listen};
use crate::error::StartError;
use crate::find::names::Names;
use crate::find::registry::Registry;
use crate::owner::Ends;
use crate::{reach, service, transport};

/// A connection on which nothing runs is closed after this: no session, and no question of the DHT's. Long enough for
/// the next question to find it open.
const IDLE: Duration = Duration::from_secs(30);

/// Streams that a peer may be negotiating on one connection, each of which can hold a window of bytes that nobody reads.
const NEGOTIATING: usize = 16;

/// How often a port is chosen anew when any will do.
const CHOICES: usize = 8;

/// How long it may take until the first listener has its address.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the task, once it listens.
pub(crate) async fn start(config: Config, ends: Ends) -> Result<JoinHandle<()>, StartError> {
    let pair = config.keys.pair();
    let us = pair.public().to_peer_id();
    let transport::Parts { transport, relay, bitcoin } = transport::build(&pair, &transport::Options::new(&config))?;
    let behaviour = Behaviour::new(&config, &pair, relay)?;
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE)
        .with_max_negotiating_inbound_streams(NEGOTIATING)
        .with_smart_dial();
    let mut swarm = Swarm::new(transport, behaviour, us, settings);
    let external = external(&config.listen.external)?;
    let listening = listen(&mut swarm, &config.listen)?;
    let clock = Clock::start();
    let started = clock.now();
    let (names, resolved) = Names::start();
    let reached = reach::Options { external, upnp: config.reach.upnp, relay: config.reach.relay };
    let registry = config.find.registry.as_deref().and_then(|directory| {
        Registry::enter(directory, &config.chain, &config.keys.identity())
            .inspect_err(|error| {
                tracing::warn!(%error, directory = %directory.display(), "nodes on this host are not found by themselves");
            })
            .ok()
    });
    let mut engine = Engine {
        swarm,
        listeners: listening.clone(),
        clock,
        keys: config.keys.clone(),
        chain: config.chain.clone(),
        limits: config.limits.clone(),
        requests: ends.requests,
        told: ends.told,
        statuses: ends.statuses,
        shared: ends.shared,
        inbox: ends.inbox,
        outbox: std::collections::VecDeque::new(),
        status_due: None,
        attempts: super::dial::Attempts::default(),
        complaints: super::complaints::Complaints::default(),
        sessions: super::sessions::Sessions::default(),
        book: super::book::Book::default(),
        connections: std::collections::HashMap::new(),
        reserved: std::collections::BTreeSet::new(),
        lost: std::collections::BTreeMap::new(),
        given: std::collections::BTreeMap::new(),
        next_given: 0,
        paths: reach::paths::State::new(us, reach::interfaces::route),
        reach: reach::State::new(reached, started),
        service: service::Service::new(us, &config.records, std::time::Instant::now()),
        registry,
        names,
        resolved,
        searches: FuturesUnordered::new(),
        plain_dials: FuturesUnordered::new(),
        plain: bitcoin,
        services: config.services,
        said: super::inform::Said::default(),
    };
    engine.first_address(&listening).await?;
    engine.look(&config);
    Ok(tokio::spawn(Box::pin(engine.run())))
}

/// Listens wherever it is configured. Another program can take a port between the look at it and this: if any port will
/// do, another one is chosen.
fn listen(swarm: &mut Swarm<Behaviour>, listen: &Listen) -> Result<Vec<ListenerId>, StartError> {
    let mut left = CHOICES;
    loop {
        let port = transport::check_port(listen)?;
        match listen_on(swarm, &transport::listen_addresses(listen, port)) {
            Err(StartError::PortInUse { port }) if listen.port == 0 && left > 0 => {
                tracing::debug!(port, "taken meanwhile");
                left = left.saturating_sub(1);
            }
            result => return result,
        }
    }
}

/// Listens on all of these addresses or none.
fn listen_on(swarm: &mut Swarm<Behaviour>, addresses: &[Multiaddr]) -> Result<Vec<ListenerId>, StartError> {
    let mut listening = Vec::new();
    for address in addresses {
        match swarm.listen_on(address.clone()) {
            Ok(id) => listening.push(id),
            // A machine without IPv6 is no reason not to start.
            Err(error) if !listening.is_empty() && is_ipv6(address) => {
                tracing::debug!(%address, %error, "not listening");
            }
            Err(error) => {
                for id in listening {
                    swarm.remove_listener(id);
                }
                return Err(transport::listen_error(address, error));
            }
        }
    }
    Ok(listening)
}

fn is_ipv6(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(libp2p::multiaddr::Protocol::Ip6(_)))
}

fn external(texts: &[String]) -> Result<Vec<Multiaddr>, StartError> {
    texts.iter().map(|text| text.parse().map_err(|_| StartError::External { text: text.clone() })).collect()
}

impl Engine {
    /// Waits until the first listener has an address: whoever starts us may tell others where we are.
    async fn first_address(&mut self, listening: &[ListenerId]) -> Result<(), StartError> {
        if listening.is_empty() {
            return Ok(());
        }
        let first = async {
            loop {
                let event = self.swarm.select_next_some().await;
                let done = matches!(event, SwarmEvent::NewListenAddr { .. });
                self.swarm_event(event);
                if done {
                    return;
                }
            }
        };
        // A machine without any network has no address, and may have one later.
        let _ = tokio::time::timeout(LISTEN_TIMEOUT, first).await;
        Ok(())
    }

    /// The first things to do: who is on this host, and whom the user named.
    fn look(&mut self, config: &Config) {
        self.note_in_registry();
        self.look_around();
        for given in &config.peers {
            self.add_given(given.clone());
        }
        self.status_is_old();
        self.reach_deadline();
    }
}
