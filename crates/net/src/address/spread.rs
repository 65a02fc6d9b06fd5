//! Which addresses may be told to whom.
//!
//! libp2p tells every peer all that it knows (identify, Kademlia): 127.0.0.1 and 192.168.1.5 among it, which for most peers are
//! themselves, or a stranger's printer. So whatever is told, and whatever we are told, passes here.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use yap_protocol::address::Scope;

use super::path::{is_circuit, leg, scope, via};

/// Whether `address` means something to the peer at `remote`: one that we would tell, or that told us.
///
/// `remote` is the other end of a connection. Public addresses go to everybody; those of a private network to peers in
/// one, or on this machine; those of this machine to peers on it; those of this process's memory to peers in it. A peer
/// behind a relay may be anywhere. Never: what we could not dial, port 0, and hosts that lead nowhere.
pub(crate) fn spreads(address: &Multiaddr, remote: &Multiaddr) -> bool {
    if !is_whole(address) {
        return false;
    }
    // Where the relay is says nothing of where the peer is.
    let near = if is_circuit(remote) { None } else { scope(remote) };
    match scope(address) {
        Some(Scope::Public) => true,
        Some(Scope::Private) => matches!(near, Some(Scope::Private | Scope::Loopback)),
        // Memory counts as loopback, but no socket leads there, nor from there to sockets.
        Some(Scope::Loopback) => near == Some(Scope::Loopback) && is_memory(address) == is_memory(remote),
        None => false,
    }
}

/// How near those are with whom we are connected, which says what an address can mean that somebody told of somebody
/// else: who told it is not known any more. Without a peer on this machine nobody's loopback address is of use, and
/// without one in a private network nobody's private one, but to have us knock at other doors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Near {
    memory: usize,
    loopback: usize,
    private: usize,
}

impl Near {
    /// A connection is open; `remote` is its other end.
    pub(crate) fn came(&mut self, remote: &Multiaddr) {
        if let Some(count) = self.of(remote) {
            *count = count.saturating_add(1);
        }
    }

    /// It is closed.
    pub(crate) fn went(&mut self, remote: &Multiaddr) {
        if let Some(count) = self.of(remote) {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether an address may mean something here.
    pub(crate) fn means_something(&self, address: &Multiaddr) -> bool {
        let near = match scope(address) {
            Some(Scope::Public) => true,
            Some(Scope::Private) => self.private > 0 || self.loopback > 0,
            Some(Scope::Loopback) if is_memory(address) => self.memory > 0,
            Some(Scope::Loopback) => self.loopback > 0,
            None => false,
        };
        near && is_whole(address)
    }

    fn of(&mut self, remote: &Multiaddr) -> Option<&mut usize> {
        if is_circuit(remote) {
            return None;
        }
        match scope(remote)? {
            Scope::Loopback if is_memory(remote) => Some(&mut self.memory),
            Scope::Loopback => Some(&mut self.loopback),
            Scope::Private => Some(&mut self.private),
            Scope::Public => None,
        }
    }
}

fn is_memory(address: &Multiaddr) -> bool {
    matches!(leg(address).next(), Some(Protocol::Memory(_)))
}

/// Whether our transports can dial the address: it has a port, and a relay where one is meant.
pub(crate) fn is_whole(address: &Multiaddr) -> bool {
    let dialled = via(address).is_some() || matches!(leg(address).next(), Some(Protocol::Dnsaddr(_)));
    let port = !address.iter().any(|part| matches!(part, Protocol::Tcp(0) | Protocol::Udp(0) | Protocol::Memory(0)));
    dialled && port && (!is_circuit(address) || is_one_circuit(address))
}

/// A circuit names its relay, and leads through one alone: relays don't chain.
fn is_one_circuit(address: &Multiaddr) -> bool {
    let circuits = address.iter().filter(|part| matches!(part, Protocol::P2pCircuit)).count();
    circuits == 1 && super::relay_of(address).is_some()
}
