//! libp2p's Kademlia, and what it does not do by itself: it tells the store who gives a record, and looks whether a
//! peer is still there.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, kad};

use crate::address::Near;
use crate::config::{self, Chain};
use crate::forward::forward;
use crate::records::Store;

/// Largest message: a record of the longest key and value with the addresses of twenty peers, and room beyond.
const MAX_PACKET: usize = 128 << 10;

/// How long a query may take; the service itself is less patient.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);

/// How long one peer may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many peers a query asks at one time: a dead one holds up its place for seconds, so more than Kademlia's three.
const PARALLELISM: NonZeroUsize = NonZeroUsize::new(6).expect("six is not zero");

/// Most peers that wait to be dialled.
const MAX_PROBES: usize = 64;

/// libp2p's Kademlia over our store. Dereferences to [`kad::Behaviour`], whose events are its events.
pub(crate) struct Kad {
    inner: kad::Behaviour<Store>,
    /// Peers to be dialled, to see whether they are still there.
    probes: VecDeque<PeerId>,
    /// How near the peers are that are connected.
    near: Near,
}

/// The DHT of the peers of one chain.
pub(crate) fn behaviour(local: PeerId, chain: &Chain, config: &config::Records, store: Store) -> Kad {
    let mut settings = kad::Config::new(chain.dht_protocol());
    settings
        .set_replication_factor(config.replication.min(kad::K_VALUE))
        .set_record_ttl(Some(config.lifetime))
        .set_provider_record_ttl(Some(config.lifetime))
        // The service does all three at its own pace: libp2p would load every record into memory at once.
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        // The store itself refuses: a peer is then told so, where after a filter it is told that we took the record.
        .set_record_filtering(kad::StoreInserts::Unfiltered)
        .set_caching(kad::Caching::Enabled { max_peers: 20 })
        .set_parallelism(PARALLELISM)
        .set_max_packet_size(MAX_PACKET)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_substreams_timeout(ANSWER_TIMEOUT)
        // Addresses are vetted before they come into the routing table.
        .set_kbucket_inserts(kad::BucketInserts::Manual);
    Kad { inner: kad::Behaviour::with_config(local, store, settings), probes: VecDeque::new(), near: Near::default() }
}

/// The name of the protocol: peers of another chain have another DHT.
impl Kad {
    /// Dials a peer that is not connected, to see whether it is still there. The outcome is the swarm's to tell.
    pub(crate) fn probe(&mut self, peer: PeerId) {
        if self.probes.len() < MAX_PROBES && !self.probes.contains(&peer) {
            self.probes.push_back(peer);
        }
    }

    /// Whether a peer of the routing table is connected.
    pub(crate) fn is_connected(&mut self, peer: &PeerId) -> bool {
        self.row(peer).is_some_and(|(status, _)| status == kad::NodeStatus::Connected)
    }

    /// The addresses of a peer, if it is in the routing table.
    pub(crate) fn addresses(&mut self, peer: &PeerId) -> Option<Vec<Multiaddr>> {
        self.row(peer).map(|(_, addresses)| addresses)
    }

    /// Whether an address that some peer told of another may mean something here. See [`Near`].
    pub(crate) fn means_something(&self, address: &Multiaddr) -> bool {
        self.near.means_something(address)
    }

    fn row(&mut self, peer: &PeerId) -> Option<(kad::NodeStatus, Vec<Multiaddr>)> {
        let bucket = self.inner.kbucket(*peer)?;
        let entry = bucket.iter().find(|entry| entry.node.key.preimage() == peer)?;
        Some((entry.status, entry.node.value.iter().cloned().collect()))
    }
}

impl Deref for Kad {
    type Target = kad::Behaviour<Store>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Kad {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl NetworkBehaviour for Kad {
    type ConnectionHandler = <kad::Behaviour<Store> as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    forward!(inner: pending_inbound, established_inbound, established_outbound);

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut known = self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)?;
        // Those of the routing table were vetted. The others are what peers answered to queries.
        let vetted = peer.and_then(|peer| self.addresses(&peer)).unwrap_or_default();
        known.retain(|address| vetted.contains(address) || self.near.means_something(address));
        Ok(known)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(established) = &event {
            self.near.came(established.endpoint.get_remote_address());
        }
        if let FromSwarm::ConnectionClosed(closed) = &event {
            self.near.went(closed.endpoint.get_remote_address());
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.store_mut().expect_from(Some(&peer));
        self.inner.on_connection_handler_event(peer, connection, event);
        self.inner.store_mut().expect_from(None);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<kad::Event, THandlerInEvent<Self>>> {
        if let Some(peer) = self.probes.pop_front() {
            let dial = DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing).build();
            return Poll::Ready(ToSwarm::Dial { opts: dial });
        }
        self.inner.poll(context)
    }
}

impl std::fmt::Debug for Kad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kad").field("probes", &self.probes).finish_non_exhaustive()
    }
}
