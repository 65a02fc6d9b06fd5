//! Why a dial failed, from libp2p's errors to ours.

use std::io;

use libp2p::PeerId;
use libp2p::core::transport::TransportError;
use libp2p::swarm::DialError as Swarm;

use crate::address;
use crate::error::DialError;
use crate::limits::Denied;
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
        Swarm::Denied { .. } => DialError::Limit,
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
    std::error::Error::source(cause).and_then(|cause| cause.downcast_ref()) == Some(&Denied::PerPeer)
}

/// The reason of what the system itself says.
pub(super) fn of_io(error: io::Error) -> DialError {
    transport::dial_error(&TransportError::Other(error))
}
