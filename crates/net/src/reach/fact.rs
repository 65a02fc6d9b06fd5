//! What [`State`](super::State) is told, and what it asks for.

use std::net::IpAddr;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, identify};

use crate::status;

/// The protocol of a relay (circuit relay v2): a peer that names it takes reservations.
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// Listen addresses of a peer that are looked at. More are passed over.
const LISTEN: usize = 32;

/// Something that happened in the swarm.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// We listen on an address, of ours or of a relay.
    Listening(Multiaddr),
    /// We do not any more.
    NotListening(Multiaddr),
    /// A connection is open.
    Connected {
        /// With whom.
        peer: PeerId,
        /// Its name.
        connection: ConnectionId,
        /// Who opened it, from where to where.
        point: ConnectedPoint,
    },
    /// It is closed.
    Closed {
        /// With whom.
        peer: PeerId,
        /// Its name.
        connection: ConnectionId,
    },
    /// A peer told of itself, and of how it sees us.
    Identified {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// What it said.
        said: Said,
    },
    /// A peer tried to dial us back.
    Tested {
        /// Where.
        address: Multiaddr,
        /// Who.
        server: PeerId,
        /// Whether it got through.
        reachable: bool,
    },
    /// The swarm holds an address for one under which we are reached.
    Confirmed(Multiaddr),
    /// The swarm does not any more.
    Expired(Multiaddr),
    /// The router forwards this address to us.
    Mapped(Multiaddr),
    /// It does not any more.
    Unmapped(Multiaddr),
    /// There is no router that would, or it is behind NAT itself.
    NoGateway,
    /// A relay took, or renewed, a reservation.
    Reserved {
        /// Who.
        relay: PeerId,
    },
    /// A listener ended.
    ListenerClosed(ListenerId),
}

/// What a peer said of itself, and of how it sees us.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Where it sees us.
    pub(crate) observed: Multiaddr,
    /// Where it listens.
    pub(crate) listen: Vec<Multiaddr>,
    /// Whether it is a relay.
    pub(crate) relays: bool,
}

impl Said {
    /// What matters here of what identify tells.
    pub(crate) fn of(info: &identify::Info) -> Self {
        Self {
            observed: info.observed_addr.clone(),
            listen: info.listen_addrs.iter().take(LISTEN).cloned().collect(),
            relays: info.protocols.iter().any(|protocol| protocol.as_ref() == HOP),
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask a connected relay to take connections for us.
    Reserve {
        /// Whom.
        relay: PeerId,
        /// What to listen on: `…/p2p/<relay>/p2p-circuit`.
        address: Multiaddr,
    },
    /// Give a reservation up.
    Unreserve {
        /// With whom.
        relay: PeerId,
        /// The listener that stands for it.
        listener: ListenerId,
    },
    /// Answer queries of the DHT, or only ask.
    ServeDht(bool),
    /// Be a relay, or not.
    ServeRelay(bool),
    /// We are reached here.
    AddExternal(Multiaddr),
    /// We are not reached here any more.
    RemoveExternal(Multiaddr),
    /// Where we are reached has changed. Replaces what was told before.
    Advertise(Advertised),
    /// How we are reached has changed.
    Changed(status::Reach),
    /// Look for a router that forwards our port, as this machine may have changed networks.
    SearchGateway,
    /// An address of this machine is gone.
    Lost {
        /// Which.
        ip: IpAddr,
        /// Relays through which we are reached: to be dialled again if they were connected over it.
        relays: Vec<PeerId>,
    },
    /// This machine has a new address.
    Gained(IpAddr),
    /// Part from a peer: as a relay, it asks too much of us.
    Disconnect(PeerId),
}

/// Where we are reached. No address ends in `/p2p/<us>`, not even a circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// From everywhere: public addresses, or circuits through public relays.
    pub(crate) everywhere: Vec<Multiaddr>,
    /// From the local network: private addresses, and circuits through relays there. Loopback is not among them.
    pub(crate) nearby: Vec<Multiaddr>,
}
