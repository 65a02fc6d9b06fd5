//! Where peers were seen: every address that somebody told of, most useful first, for the dials to come.
//!
//! The node keeps one address for each peer that it knows; dialling tries all of these at once. Not kept across
//! restarts. Bounds: [`PEERS`] peers, the one that was heard of longest ago gives way; [`ADDRESSES`] for each, the worst of
//! those that were not heard of again gives way: a peer that moves about leaves addresses behind.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::{Multiaddr, PeerId};

/// Most peers.
pub(super) const PEERS: usize = 2048;

/// Most addresses of one peer.
pub(super) const ADDRESSES: usize = 12;

/// Addresses of one peer that are looked at when it is heard of.
const HEARD: usize = 64;

#[derive(Debug, Default)]
struct Entry {
    addresses: Vec<Multiaddr>,
    turn: u64,
}

/// Addresses by peer.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<PeerId, Entry>,
    turns: BTreeSet<(u64, PeerId)>,
    turn: u64,
}

impl Book {
    /// Hears of addresses. The caller has left out those that mean nothing here.
    pub(super) fn learn(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        let heard = addresses.into_iter().take(HEARD).filter_map(|address| bare(&peer, &address));
        let mut heard: Vec<Multiaddr> = heard.collect();
        if heard.is_empty() {
            return;
        }
        crate::address::order(&mut heard);
        heard.truncate(ADDRESSES);
        self.turn = self.turn.saturating_add(1);
        let entry = self.entries.entry(peer).or_default();
        self.turns.remove(&(entry.turn, peer));
        entry.turn = self.turn;
        self.turns.insert((entry.turn, peer));
        entry.addresses.retain(|known| !heard.contains(known));
        entry.addresses.truncate(ADDRESSES.saturating_sub(heard.len()));
        entry.addresses.append(&mut heard);
        crate::address::order(&mut entry.addresses);
        if self.entries.len() > PEERS
            && let Some((_, oldest)) = self.turns.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    /// Forgets an address that led to somebody else, or to nobody.
    pub(super) fn forget(&mut self, peer: &PeerId, address: &Multiaddr) {
        if let Some(address) = bare(peer, address)
            && let Some(entry) = self.entries.get_mut(peer)
        {
            entry.addresses.retain(|known| *known != address);
            if entry.addresses.is_empty() {
                self.turns.remove(&(entry.turn, *peer));
                self.entries.remove(peer);
            }
        }
    }

    /// The addresses of a peer, most useful first.
    pub(super) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.entries.get(peer).map_or(&[], |entry| &entry.addresses)
    }
}

/// The address without the peer's own name at its end; `None` if it has another's there.
fn bare(peer: &PeerId, address: &Multiaddr) -> Option<Multiaddr> {
    let (place, named) = crate::address::split(address);
    named.is_none_or(|named| named == *peer).then_some(place)
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/192.168.1.2/tcp/{port}").parse().expect("a multiaddr")
    }

    fn peer() -> PeerId {
        Keypair::generate_ed25519().public().to_peer_id()
    }

    #[test]
    fn one_peer_more_than_fits_takes_the_place_of_the_one_heard_of_longest_ago() {
        let mut book = Book::default();
        let peers: Vec<PeerId> = (0..=PEERS).map(|_| peer()).collect();
        for peer in peers.iter().take(PEERS) {
            book.learn(*peer, [address(1)]);
        }
        assert_eq!(book.addresses(&peers[0]).len(), 1, "there is room for all of them");
        book.learn(peers[0], [address(2)]);
        book.learn(peers[PEERS], [address(1)]);
        assert_eq!((book.entries.len(), book.turns.len()), (PEERS, PEERS));
        assert_eq!(book.addresses(&peers[0]).len(), 2, "it was heard of again");
        assert!(book.addresses(&peers[1]).is_empty(), "it was the oldest");
    }

    #[test]
    fn one_address_more_than_fits_is_left_out() {
        let (mut book, peer) = (Book::default(), peer());
        for port in 1..=13 {
            book.learn(peer, [address(port)]);
        }
        assert_eq!(book.addresses(&peer).len(), ADDRESSES);
    }

    #[test]
    fn what_is_heard_of_now_is_kept_though_old_addresses_look_better() {
        let (mut book, peer) = (Book::default(), peer());
        for port in 1..=12 {
            book.learn(peer, [address(port)]);
        }
        let far: Multiaddr = "/ip4/11.1.1.1/tcp/6001".parse().expect("a multiaddr");
        book.learn(peer, [far.clone()]);
        assert!(book.addresses(&peer).contains(&far));
        assert_eq!(book.addresses(&peer).len(), ADDRESSES);
    }

    #[test]
    fn an_address_is_known_with_and_without_its_peer() {
        let (mut book, peer, other) = (Book::default(), peer(), peer());
        let with = |peer: PeerId| address(1).with(libp2p::multiaddr::Protocol::P2p(peer));
        book.learn(peer, [address(1), with(peer), with(other)]);
        assert_eq!(book.addresses(&peer), [address(1)]);
        book.forget(&peer, &with(peer));
        assert!(book.addresses(&peer).is_empty());
    }

    #[test]
    fn a_peer_whose_last_address_was_wrong_is_forgotten() {
        let (mut book, peer) = (Book::default(), peer());
        book.learn(peer, [address(1)]);
        book.forget(&peer, &address(1));
        assert!(book.entries.is_empty() && book.turns.is_empty());
    }
}
