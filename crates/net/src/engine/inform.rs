//! What we tell: the owner how the network stands, and peers where we are.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::Multiaddr;
use tokio::time::Instant;
use yap_protocol::address::{Endpoint, Host};
use yap_protocol::io::Command;
use yap_protocol::message::{MAX_ENDPOINTS, PeerRecord};

use super::{Engine, STATUS_AGE};
use crate::address;
use crate::event::Event;
use crate::reach;
use crate::status::{Path, Peer, Status, Via};

/// What we said last of where we are.
#[derive(Debug, Default)]
pub(super) struct Said {
    sequence: u64,
    last: Option<reach::Advertised>,
}

impl Engine {
    /// Something that the status shows has changed: it is told soon.
    pub(super) fn status_is_old(&mut self) {
        if self.status_due.is_none() {
            self.status_due = Instant::now().checked_add(STATUS_AGE);
        }
    }

    /// Tells the owner how the network stands.
    pub(super) fn tell_status(&mut self) {
        self.status_due = None;
        self.settle_names();
        let peers = self.sessions.iter().map(|(peer, open)| {
            let path = match open.on {
                Some((_, connection)) => self.paths.path(connection),
                None => Some(Path::Direct(Via::Bitcoin)),
            };
            Peer {
                peer,
                identity: open.link.identity,
                direction: open.link.direction,
                address: open.link.address.endpoint.to_string(),
                path: path.unwrap_or(Path::Direct(Via::Tcp)),
                received: 0,
                sent: 0,
            }
        });
        let peers = peers.collect();
        let listening = self.swarm.listeners().map(Multiaddr::to_string).collect();
        let counts = self.swarm.behaviour().limits.counts();
        let (routing, records) = match self.swarm.behaviour_mut().kad.as_mut() {
            Some(kad) => (kad.kbuckets().map(|bucket| bucket.num_entries()).sum(), kad.store_mut().len()),
            None => (0, 0),
        };
        self.statuses.send_replace(Arc::new(Status {
            listening,
            reach: self.reach.reach(),
            peers,
            connections: counts.inbound.saturating_add(counts.relayed).saturating_add(counts.outbound),
            routing,
            records,
        }));
    }

    /// Says where we are: to the node, which tells peers, and to nodes on this host.
    pub(super) fn advertise(&mut self, advertised: reach::Advertised) {
        self.note_in_registry();
        if self.said.last.as_ref() == Some(&advertised) {
            return;
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.said.sequence = wall.max(self.said.sequence.saturating_add(1));
        // The record for strangers names no address of a local network.
        let near = advertised.nearby.iter().chain(&advertised.everywhere);
        let records = [self.record(near), self.record(advertised.everywhere.iter())];
        let endpoints: Vec<Endpoint> =
            advertised.everywhere.iter().chain(&advertised.nearby).filter_map(plain_endpoint).collect();
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        self.swarm.behaviour_mut().candidates.push(peers);
        let mut told: Vec<_> = records.into_iter().flatten().map(|record| Some(Arc::new(record))).collect();
        if told.is_empty() {
            told.push(None);
        }
        if self.is_full() {
            tracing::debug!("the owner does not listen: it is not told where we are");
            return;
        }
        for record in told {
            self.tell_surely(Event::Command(Command::Advertise(record, endpoints.clone())));
        }
        self.said.last = Some(advertised);
    }

    fn record<'a>(&self, addresses: impl Iterator<Item = &'a Multiaddr>) -> Option<PeerRecord> {
        let endpoints: Vec<_> = addresses.filter_map(address::encode).take(MAX_ENDPOINTS).collect();
        if endpoints.is_empty() {
            return None;
        }
        self.keys
            .sign_record(endpoints, self.services, self.said.sequence)
            .inspect_err(|error| tracing::warn!(%error, "no record of where we are"))
            .ok()
    }
}

/// The same port takes Bitcoin's transport.
fn plain_endpoint(address: &Multiaddr) -> Option<Endpoint> {
    use libp2p::multiaddr::Protocol;
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let (host, port) = match parts.as_slice() {
        [Protocol::Ip4(ip), Protocol::Tcp(port)] => (Host::Ipv4(*ip), *port),
        [Protocol::Ip6(ip), Protocol::Tcp(port)] => (Host::Ipv6(*ip), *port),
        _ => return None,
    };
    Some(Endpoint::Bitcoin { host, port })
}
