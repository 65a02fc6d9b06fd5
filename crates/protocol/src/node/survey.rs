//! What is known of the peers, for whoever asks: sessions, addresses, bans, and what was counted.

use bitcoin::Txid;
use yap_chain::header::tree;

use crate::address::Address;
use crate::handshake::Established;
use crate::io::Comparison;
use crate::keepalive::Latency;
use crate::ledger::Ledger;
use crate::link::{Link, PeerId};
use crate::message::Irreversible;
use crate::peers::{Known, Status, ban};
use crate::tally::{Messages, Tally};
use crate::time::Timestamp;

use super::Node;

/// What the machines know of one connected peer.
#[derive(Clone, Debug)]
pub struct PeerFacts {
    /// The connection.
    pub peer: PeerId,
    /// What it is. Its purpose is what it is for now.
    pub link: Link,
    /// What `peers` keeps of it: when it was opened, what it is charged with, what it was good for.
    pub status: Status,
    /// When it was opened, by our clock.
    pub connected: Timestamp,
    /// When it was last the first to give a block that is valid, by our clock.
    pub last_block: Option<Timestamp>,
    /// When it was last the first to give a transaction that was accepted, by our clock.
    pub last_transaction: Option<Timestamp>,
    /// When something last came from it, by our clock.
    pub last_received: Option<Timestamp>,
    /// When something was last sent to it, by our clock.
    pub last_sent: Option<Timestamp>,
    /// What the handshake found; `None` until it is done.
    pub established: Option<Box<Established>>,
    /// How its chain compared when it greeted us.
    pub comparison: Option<Comparison>,
    /// The header of the most work that it has shown to have.
    pub best_header: Option<tree::Id>,
    /// The last header of ours that it was given or told of, and could place.
    pub last_told: Option<tree::Id>,
    /// How long its answers take.
    pub latency: Option<Latency>,
    /// Blocks that were asked of it and did not come yet.
    pub blocks_in_flight: usize,
    /// Satoshis per thousand virtual bytes below which it wants to hear of nothing (BIP-0133).
    pub least_feerate: u64,
    /// Whether new blocks go to it as compact blocks and unasked (BIP-0152), and whether they come from it so.
    pub high_bandwidth: (bool, bool),
    /// Whether small transactions go over this link at once.
    pub branch: bool,
    /// Whether what is sent to it piles up.
    pub congested: bool,
}

impl Node {
    /// Every connected peer, in the order of their connections.
    #[must_use]
    pub fn survey(&self) -> Vec<PeerFacts> {
        self.peers.peers(self.now).filter_map(|status| self.facts(status)).collect()
    }

    fn facts(&self, status: Status) -> Option<PeerFacts> {
        let peer = status.peer;
        let session = self.sessions.get(&peer)?;
        Some(PeerFacts {
            peer,
            link: Link { purpose: status.purpose, ..session.link.clone() },
            connected: self.wall_then(status.since),
            last_block: status.last_block.map(|then| self.wall_then(then)),
            last_transaction: status.last_transaction.map(|then| self.wall_then(then)),
            last_received: session.received.map(|then| self.wall_then(then)),
            last_sent: session.sent.map(|then| self.wall_then(then)),
            established: session.established.clone(),
            comparison: session.comparison,
            best_header: self.headers.best(peer),
            last_told: self.blocks.last_told(peer),
            latency: self.keepalive.latency(peer),
            blocks_in_flight: self.blocks.in_flight(peer),
            least_feerate: self.relay.least_feerate(peer),
            high_bandwidth: self.blocks.high_bandwidth(peer),
            branch: self.relay.is_branch(peer),
            congested: session.congested,
            status,
        })
    }

    /// Up to `most` addresses of peers that are known, those of which was heard last first.
    #[must_use]
    pub fn known(&self, most: usize) -> Vec<(&Address, &Known)> {
        let mut all: Vec<_> = self.peers.known().collect();
        all.sort_by(|(one, a), (other, b)| b.seen.cmp(&a.seen).then_with(|| one.cmp(other)));
        all.truncate(most);
        all
    }

    /// How many addresses of peers are known.
    #[must_use]
    pub fn known_len(&self) -> usize {
        self.peers.known_len()
    }

    /// Who is not let in, since when and until when. At most [`ban::MAX_BANS`].
    pub fn bans(&self) -> impl Iterator<Item = (&ban::Target, ban::Ban)> {
        self.peers.bans()
    }

    /// Transactions of ours that no peer has yet, as far as is known: none was given it, asked for it or showed it. Some may
    /// still be judged. At most [`MAX_OWN`](crate::relay::MAX_OWN).
    pub fn untaken(&self) -> impl Iterator<Item = Txid> {
        self.relay.untaken()
    }

    /// Whether the chain of the network is still being fetched.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.blocks.is_catching_up()
    }

    /// On chains of signed blocks, a block that a peer holds to be irreversible and that our tip does not stand on
    /// ([`irreversible::State::elsewhere`](crate::irreversible::State::elsewhere)).
    #[must_use]
    pub fn irreversible_elsewhere(&self, ledger: &dyn Ledger) -> Option<Irreversible> {
        self.irreversible.elsewhere(ledger)
    }

    /// By how much our clock disagrees with those of the peers that we dialled, if it matters.
    #[must_use]
    pub fn clock_offset(&self) -> Option<crate::handshake::ClockOffset> {
        self.handshake.offsets().median()
    }

    /// What the eight operations did since the start.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally;
        let (learned, taken) = self.peers.learned();
        (tally.discovery.learned, tally.lists.taken) = (learned, taken);
        self.blocks.tally(&mut tally);
        self.relay.tally(&mut tally);
        tally
    }

    /// Messages by kind and direction since the start. Those of a connection that is closing are not counted.
    #[must_use]
    pub fn messages(&self) -> &Messages {
        &self.messages
    }
}
