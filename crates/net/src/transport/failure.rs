//! What a failure of a transport means, in our own errors.
//!
//! The reason lies below many wrappings, and some of them tell the source of what they wrap rather than what they wrap. They
//! are known here by name.

use std::error::Error;
use std::io;

use futures_rustls::rustls::{self, CertificateError};
use libp2p::core::transport::TransportError;
use libp2p::core::upgrade::NegotiationError;
use libp2p::core::upgrade::ProtocolError;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, dns, noise, quic};

use super::websocket;
use crate::error::{DialError, StartError};

type Cause<'a> = &'a (dyn Error + 'static);

/// Wrappings that are looked into. A name has at most 16 addresses, each of them fewer than ten deep.
const CAUSES: usize = 256;

/// What it means that listening on an address failed.
pub(crate) fn listen_error(address: &Multiaddr, error: TransportError<io::Error>) -> StartError {
    match error {
        TransportError::MultiaddrNotSupported(address) => StartError::Listen {
            address: address.to_string(),
            source: io::Error::new(io::ErrorKind::Unsupported, "no transport for this form of address"),
        },
        TransportError::Other(error) => {
            let code = causes(&error).into_iter().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
            let source = code.map_or(error, io::Error::from_raw_os_error);
            StartError::refused(address.to_string(), port(address), source)
        }
    }
}

impl StartError {
    /// What it means that the system refuses a port.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of io errors are not listed to the end")]
    pub(super) fn refused(address: String, port: u16, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { port },
            io::ErrorKind::PermissionDenied => Self::PortForbidden { port },
            _ => Self::Listen { address, source },
        }
    }
}

/// What it means that a dial failed. Where a name had several addresses, the one that came furthest counts.
pub(crate) fn dial_error(error: &TransportError<io::Error>) -> DialError {
    match error {
        TransportError::MultiaddrNotSupported(_) => DialError::Unsupported,
        TransportError::Other(error) => {
            let all = causes(error);
            all.into_iter().filter_map(meaning).max_by_key(how_far).unwrap_or(DialError::Unreachable)
        }
    }
}

/// The port of an address; 0 if it has none.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other part holds no port")]
fn port(address: &Multiaddr) -> u16 {
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
        _ => None,
    });
    port.unwrap_or(0)
}

/// What one cause says by itself.
fn meaning(cause: Cause<'_>) -> Option<DialError> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    if let Some(error) = cause.downcast_ref::<websocket::Error>() {
        use websocket::Error::{Connect, Handshake, Late, Listen, Refused, Tls};
        return match error {
            Handshake(_) | Refused(_) => Some(DialError::NotANode),
            Late => Some(DialError::Unreachable),
            Connect(_) | Listen(_) | Tls(_) => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<NegotiationError>() {
        return match error {
            // A node that has no room does so, as likely as something else.
            NegotiationError::ProtocolError(ProtocolError::IoError(_)) => Some(DialError::Closed),
            NegotiationError::ProtocolError(_) | NegotiationError::Failed => Some(DialError::NotANode),
        };
    }
    if let Some(error) = cause.downcast_ref::<noise::Error>() {
        // What answers the proposal is read together with Noise's first message.
        return Some(if closed(error) { DialError::Closed } else { DialError::NotANode });
    }
    if let Some(error) = cause.downcast_ref::<dns::Error<io::Error>>() {
        return match error {
            dns::Error::ResolveError(_) | dns::Error::TooManyLookups => Some(DialError::NoName),
            dns::Error::MultiaddrNotSupported(_) => Some(DialError::Unsupported),
            dns::Error::Transport(_) | dns::Error::Dial(_) => None,
        };
    }
    system(cause.downcast_ref::<io::Error>()?.kind())
}

/// Whether a handshake failed because the connection did.
fn closed(error: &noise::Error) -> bool {
    matches!(error, noise::Error::Io(inner) if inner.kind() != io::ErrorKind::InvalidData)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of io errors are not listed to the end")]
fn system(kind: io::ErrorKind) -> Option<DialError> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some(DialError::Refused),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
            Some(DialError::NoRoute)
        }
        io::ErrorKind::TimedOut => Some(DialError::Unreachable),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
            Some(DialError::Closed)
        }
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else goes wrong, it does not speak TLS as we do")]
fn tls(error: &rustls::Error) -> DialError {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => DialError::Issuer,
        rustls::Error::InvalidCertificate(_) => DialError::Certificate { why: error.to_string() },
        _ => DialError::NotANode,
    }
}

/// How far a dial came that ended so.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not said by a transport")]
pub(crate) fn how_far(error: &DialError) -> u8 {
    match error {
        DialError::Certificate { .. } | DialError::Issuer => 6,
        DialError::NotANode => 5,
        DialError::Closed => 4,
        DialError::Refused => 3,
        DialError::Unreachable => 2,
        DialError::NoRoute => 1,
        _ => 0,
    }
}

/// An error and everything that it wraps.
fn causes(error: &io::Error) -> Vec<Cause<'_>> {
    let mut found: Vec<Cause<'_>> = vec![error];
    let mut seen = 0;
    while let Some(cause) = found.get(seen).copied().filter(|_| seen < CAUSES) {
        seen = seen.saturating_add(1);
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            found.extend(error.get_ref().map(|inner| inner as Cause<'_>));
        } else if let Some(error) = cause.downcast_ref::<quic::Error>() {
            if let quic::Error::Io(inner) = error {
                found.push(inner);
            }
        } else if let Some(error) = cause.downcast_ref::<noise::Error>() {
            if let noise::Error::Io(inner) = error {
                found.push(inner);
            }
        } else if let Some(error) = cause.downcast_ref::<websocket::Error>() {
            use websocket::Error::{Connect, Handshake, Late, Listen, Refused, Tls};
            match error {
                Connect(inner) => found.push(inner),
                Listen(inner) | Tls(inner) => found.push(inner),
                Handshake(_) | Refused(_) | Late => {}
            }
        } else if let Some(error) = cause.downcast_ref::<dns::Error<io::Error>>() {
            match error {
                dns::Error::Transport(inner) => found.push(inner),
                dns::Error::Dial(all) => found.extend(all.iter().map(|inner| inner as Cause<'_>)),
                dns::Error::ResolveError(_) | dns::Error::MultiaddrNotSupported(_) | dns::Error::TooManyLookups => {}
            }
        } else {
            found.extend(cause.source());
        }
    }
    found
}
