//! Why a dial failed, from libp2p's errors to ours.

use std::io;
use std::net::IpAddr;

use libp2p::PeerId;
use libp2p::core::transport::TransportError;
use libp2p::swarm::{ConnectionDenied, DialError as Swarm};
use yap_protocol::address::Host;
use yap_protocol::peers::ban::Target;

use crate::address;
use crate::error::DialError;
use crate::limits::{Ban, Denied};
use crate::transport;

/// The reason, in the user's terms. `wanted` is whom we dialled. Of several addresses, the one that came furthest counts.
pub(super) fn of(error: &Swarm, wanted: Option<PeerId>) -> DialError {
    match error {
        Swarm::LocalPeerId { .. } => DialError::Ourselves,
        // The swarm leaves out our own addresses, which is all that is left then where no peer is named.
        Swarm::NoAddresses if wanted.is_none() => DialError::Ourselves,
        Swarm::NoAddresses => DialError::Unknown,
        Swarm::WrongPeerId { obtained, .. } => {
            let identities = wanted.as_ref().and_then(address::identity).zip(address::identity(obtained));
            identities.map_or(DialError::NotANode, |(wanted, found)| DialError::WrongPeer { wanted, found })
        }
        Swarm::Denied { cause } => match denied(cause) {
            Some(Denied::Banned(who)) => target(*who).map_or(DialError::Limit, DialError::Banned),
            Some(Denied::Full | Denied::Group | Denied::PerPeer | Denied::Pending | Denied::Rate | Denied::Memory)
            | None => DialError::Limit,
        },
        Swarm::DialPeerConditionFalse(_) | Swarm::Aborted => DialError::Unreachable,
        Swarm::Transport(errors) => {
            let reasons = errors.iter().map(|(_, error)| transport::dial_error(error));
            reasons.max_by_key(transport::how_far).unwrap_or(DialError::Unreachable)
        }
    }
}

/// Whether there is no connection because there are as many with the same peer as there may be.
pub(super) fn is_of_another_connection(error: &Swarm) -> bool {
    let Swarm::Denied { cause } = error else { return false };
    denied(cause) == Some(&Denied::PerPeer)
}

fn denied(cause: &ConnectionDenied) -> Option<&Denied> {
    std::error::Error::source(cause).and_then(|cause| cause.downcast_ref())
}

/// Whom a ban means, as the node names them.
pub(super) fn target(ban: Ban) -> Option<Target> {
    match ban {
        Ban::Peer(peer) => address::identity(&peer).map(Target::Identity),
        Ban::Host(IpAddr::V4(ip)) => Some(Target::host(Host::Ipv4(ip))),
        Ban::Host(IpAddr::V6(ip)) => Some(Target::host(Host::Ipv6(ip))),
    }
}

/// The same the other way; nobody who is not reached by libp2p.
pub(super) fn ban(target: &Target) -> Option<Ban> {
    match target {
        Target::Identity(identity) => address::peer_id(identity).map(Ban::Peer),
        Target::Host(Host::Ipv4(ip)) => Some(Ban::Host((*ip).into())),
        Target::Host(Host::Ipv6(ip)) => Some(Ban::Host((*ip).into())),
        Target::Host(_) => None,
    }
}

/// The reason of what the system itself says.
pub(super) fn of_io(error: io::Error) -> DialError {
    transport::dial_error(&TransportError::Other(error))
}
