//! The addresses of this machine, as the listeners tell them, and which of them a connection runs over.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;

use super::place;

#[cfg(test)]
mod tests;

/// Addresses of this machine that are kept in mind.
pub(crate) const MAX_ADDRESSES: usize = 64;

/// The address of ours from which packets to another host leave now; `None` if there is no way to it.
pub(crate) type Route = fn(SocketAddr) -> Option<IpAddr>;

/// Asks the system's routing table, by connecting a UDP socket: no packet is sent.
pub(crate) fn route(to: SocketAddr) -> Option<IpAddr> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// The address of ours over which a connection runs. Known for an accepted TCP connection; taken from the routing table
/// otherwise, since QUIC accepts on all addresses at once and a dial does not tell where it began.
pub(crate) fn local(point: &ConnectedPoint, route: Route) -> Option<IpAddr> {
    if let ConnectedPoint::Listener { local_addr, .. } = point
        && let Some(ip) = place::ip(local_addr)
        && !ip.is_unspecified()
    {
        return Some(ip);
    }
    place::socket(point.get_remote_address()).and_then(route)
}

/// What a change of the listeners means for the addresses of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// It has a new one.
    Gained(IpAddr),
    /// One is gone.
    Lost(IpAddr),
}

/// The addresses of this machine on which we listen, and how many listeners each has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    listeners: BTreeMap<IpAddr, u32>,
}

impl Addresses {
    /// A listener has an address.
    pub(crate) fn add(&mut self, address: &Multiaddr) -> Change {
        let Some(ip) = place::ip(address).filter(|_| !place::is_circuit(address)) else { return Change::None };
        if let Some(listeners) = self.listeners.get_mut(&ip) {
            *listeners = listeners.saturating_add(1);
            return Change::None;
        }
        if self.listeners.len() >= MAX_ADDRESSES {
            return Change::None;
        }
        self.listeners.insert(ip, 1);
        Change::Gained(ip)
    }

    /// A listener has an address no longer.
    pub(crate) fn remove(&mut self, address: &Multiaddr) -> Change {
        let Some(ip) = place::ip(address).filter(|_| !place::is_circuit(address)) else { return Change::None };
        let Some(listeners) = self.listeners.get_mut(&ip) else { return Change::None };
        *listeners = listeners.saturating_sub(1);
        if *listeners > 0 {
            return Change::None;
        }
        self.listeners.remove(&ip);
        Change::Lost(ip)
    }

    /// Whether an address is this machine's.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.listeners.contains_key(&ip)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.listeners.keys().copied()
    }
}
