//! Why a dial failed, from libp2p's errors to ours.
//!
//! libp2p passes on what the system or a handshake said in errors within errors; what a user can act on is picked out.

use std::error::Error;
use std::io;

use libp2p::PeerId;
use libp2p::core::transport::TransportError;
use libp2p::swarm::DialError as Swarm;

use crate::address;
use crate::error::DialError;

/// The reason, in the user's terms. `wanted` is whom we dialled.
pub(super) fn of(error: &Swarm, wanted: Option<PeerId>) -> DialError {
    match error {
        Swarm::LocalPeerId { .. } => DialError::Ourselves,
        Swarm::NoAddresses => DialError::Unknown,
        Swarm::WrongPeerId { obtained, .. } => {
            let identities = wanted.as_ref().and_then(address::identity).zip(address::identity(obtained));
            identities.map_or(DialError::NotANode, |(wanted, found)| DialError::WrongPeer { wanted, found })
        }
        Swarm::Denied { .. } => DialError::Limit,
        Swarm::DialPeerConditionFalse(_) | Swarm::Aborted => DialError::Unreachable,
        Swarm::Transport(errors) => {
            let reasons = errors.iter().map(|(_, error)| transport(error));
            reasons.max_by_key(telling).unwrap_or(DialError::Unreachable)
        }
    }
}

/// How much a reason tells: of several addresses, the one that says most is shown.
fn telling(why: &DialError) -> u8 {
    match why {
        DialError::Certificate { .. } => 6,
        DialError::NotANode => 5,
        DialError::NoName => 4,
        DialError::Refused => 3,
        DialError::NoRoute => 2,
        DialError::Unreachable => 1,
        _ => 0,
    }
}

fn transport(error: &TransportError<io::Error>) -> DialError {
    match error {
        TransportError::MultiaddrNotSupported(_) => DialError::Unsupported,
        TransportError::Other(error) => within(error),
    }
}

/// Looks through errors within errors.
fn within(error: &io::Error) -> DialError {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let mut found = DialError::Unreachable;
    // Errors nest a few levels; the bound is for a library that would make a ring of them.
    for _ in 0..32 {
        let Some(error) = next else { break };
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = better(found, of_io(io));
        }
        found = better(found, of_text(&error.to_string()));
        // An error of the system's kind passes over what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}

fn better(one: DialError, other: DialError) -> DialError {
    if telling(&other) > telling(&one) { other } else { one }
}

pub(super) fn of_io(error: &io::Error) -> DialError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            DialError::NoRoute
        }
        _ => DialError::Unreachable,
    }
}

/// Errors of libraries that have no type which is public: told apart by what they say. A text that has changed costs
/// the detail, not the dial.
fn of_text(text: &str) -> DialError {
    let has = |part: &str| text.contains(part);
    if has("certificate") || has("CertExpired") || has("UnknownIssuer") {
        return DialError::Certificate { why: text.to_owned() };
    }
    if has("Connection refused") {
        return DialError::Refused;
    }
    if has("Network is unreachable") || has("No route to host") {
        return DialError::NoRoute;
    }
    if has("no record found") || has("failed to resolve") || has("Could not resolve") {
        return DialError::NoName;
    }
    if has("multistream") || has("invalid HTTP") || has("unexpected status") || has("negotiat") || has("redirect") {
        return DialError::NotANode;
    }
    DialError::Unreachable
}
