//! The forms in which a user names peers.
//!
//! ```text
//! host  host:port  [IPv6]:port     every address of the host, by TCP
//! ws://host:port  wss://host[:port]  by WebSocket
//! bitcoin://host:port              by Bitcoin's transport
//! tcp://host:port  quic://host:port  …/p2p/<peer id>   the multiaddr that says the same
//! /ip4/203.0.113.5/udp/6001/quic-v1  any multiaddr that can be dialled
//! 12D3KooW…  /p2p/12D3KooW…        a peer, wherever it is now
//! ```
//!
//! What a [`Given`] prints is read back as the same. Not its job: to resolve names (`find`).

mod error;
mod parse;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use yap_protocol::Address;
use yap_protocol::address::{Endpoint, Identity};

use crate::address;
use crate::identity::Name;

pub use error::GivenError;

/// Most peers of one list.
pub const MAX_PEERS: usize = 256;

/// Most addresses of one host that are taken as peers.
pub const MAX_ADDRESSES: usize = 64;

/// A peer that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A multiaddr, such as `/ip4/203.0.113.5/tcp/6001` or `/dnsaddr/seed.example.org/p2p/12D3KooW…`.
    Address(Address),
    /// `host:port`, `ws://host:port`, `wss://host:port` or `bitcoin://host:port`. Every address of the host is a peer, so that the name of a
    /// headless service names all of its pods.
    Host {
        /// A name or an IP address.
        host: String,
        /// Its port.
        port: u16,
        /// How it is spoken to.
        scheme: Scheme,
    },
    /// A peer id: looked for wherever it is now.
    Peer(Identity),
}

/// How a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TCP, or QUIC on the same port.
    Plain,
    /// WebSocket.
    WebSocket,
    /// WebSocket within TLS.
    SecureWebSocket,
    /// Bitcoin's transport.
    Bitcoin,
}

/// The peers of a list, such as `PEERS` holds: separated by commas, white space, or both. What is there twice counts once.
///
/// # Errors
/// If one of them has no form that is known, or there are more than [`MAX_PEERS`].
pub fn parse_list(text: &str) -> Result<Vec<Given>, GivenError> {
    let mut list: Vec<Given> = Vec::new();
    let parts = text.split(|letter: char| letter == ',' || letter.is_whitespace());
    for part in parts.filter(|part| !part.is_empty()) {
        let given = part.parse()?;
        if list.contains(&given) {
            continue;
        }
        if list.len() == MAX_PEERS {
            return Err(GivenError::Many);
        }
        list.push(given);
    }
    Ok(list)
}

impl Given {
    /// The name that has to be resolved before there are addresses to dial; `None` if there is none.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            // The certificate is for the name, so the name itself is dialled, and the transport resolves it.
            Self::Host { scheme: Scheme::SecureWebSocket, .. } | Self::Address(_) | Self::Peer(_) => None,
            Self::Host { host, .. } => host.parse::<IpAddr>().is_err().then_some(host),
        }
    }

    /// The addresses to dial, one for each peer that is named: for a host one for each of its addresses, of which `resolved`
    /// are those that [`name`](Self::name) has. At most [`MAX_ADDRESSES`]; none for a peer id.
    ///
    /// Plain hosts are dialled by TCP, since two addresses would count as two peers until both have answered.
    #[must_use]
    pub fn addresses(&self, resolved: &[IpAddr]) -> Vec<Address> {
        let (host, port, scheme) = match self {
            Self::Address(address) => return vec![address.clone()],
            Self::Peer(_) => return Vec::new(),
            Self::Host { host, port, scheme } => (host, *port, *scheme),
        };
        if let Ok(ip) = host.parse::<IpAddr>() {
            return endpoint(ip, port, scheme).into_iter().map(of_endpoint).collect();
        }
        if scheme == Scheme::SecureWebSocket {
            // Certificates have names without the dot that ends an absolute one.
            let name = host.strip_suffix('.').unwrap_or(host);
            let start = Multiaddr::from(Protocol::Dns(name.into()));
            return endpoint_behind(start, port, scheme).into_iter().map(of_endpoint).collect();
        }
        // In order first: resolvers turn the list round with each answer, and the same ones are to be taken.
        let hosts: BTreeSet<_> = resolved.iter().map(IpAddr::to_canonical).collect();
        hosts.into_iter().take(MAX_ADDRESSES).filter_map(|ip| endpoint(ip, port, scheme)).map(of_endpoint).collect()
    }
}

fn of_endpoint(endpoint: Endpoint) -> Address {
    Address { identity: None, endpoint }
}

fn endpoint(ip: IpAddr, port: u16, scheme: Scheme) -> Option<Endpoint> {
    match scheme {
        Scheme::Bitcoin => Some(Endpoint::Bitcoin { host: address::host(ip), port }),
        Scheme::Plain | Scheme::WebSocket | Scheme::SecureWebSocket => {
            endpoint_behind(Multiaddr::from(ip.to_canonical()), port, scheme)
        }
    }
}

fn endpoint_behind(host: Multiaddr, port: u16, scheme: Scheme) -> Option<Endpoint> {
    let host = host.with(Protocol::Tcp(port));
    let whole = match scheme {
        Scheme::Plain | Scheme::Bitcoin => host,
        Scheme::WebSocket => host.with(Protocol::Ws("/".into())),
        Scheme::SecureWebSocket => host.with(Protocol::Tls).with(Protocol::Ws("/".into())),
    };
    address::encode(&whole).map(Endpoint::Libp2p)
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => match address::to_libp2p(address) {
                Some(multiaddr) => multiaddr.fmt(f),
                None => write!(f, "bitcoin://{}", address.endpoint),
            },
            Self::Host { host, port, scheme } => {
                f.write_str(match scheme {
                    Scheme::Plain => "",
                    Scheme::WebSocket => "ws://",
                    Scheme::SecureWebSocket => "wss://",
                    Scheme::Bitcoin => "bitcoin://",
                })?;
                if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
            }
            Self::Peer(identity) => Name(*identity).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
