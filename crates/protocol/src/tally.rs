//! What the eight peer-to-peer operations (P1 to P8) did since the start, and how much was said, in numbers.
//!
//! Owns the names of the operations and of their counts. Each number is counted where the thing happens: in the machine
//! that does it, or in [`Node`](crate::Node) where all machines' messages and outcomes pass; [`Node::tally`] and
//! [`Node::messages`] put them together. Not its job: rates, which whoever reads the numbers twice can tell, and what any
//! one peer did ([`Node::survey`]).
//!
//! Bounds: everything here has a fixed size, however many peers there were. Counts stay at their end.
//!
//! [`Node::tally`]: crate::Node::tally
//! [`Node::messages`]: crate::Node::messages
//! [`Node::survey`]: crate::Node::survey

use crate::codec::Kind;
use crate::io::Comparison;
use crate::message::{Inventory, Message};
use crate::penalty::Reason;

/// Counts up, to the end and no further.
pub(crate) fn count(counter: &mut u64, more: usize) {
    *counter = counter.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}

/// The counts of one operation, and their names.
macro_rules! counts {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$what])* pub $field: u64,)+
        }

        impl $name {
            fn rows(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field),)+]
            }
        }
    };
}

counts! {
    /// P1, node discovery.
    Discovery {
        /// Addresses that were new and that no peer told: found in the local network, by DNS, a DHT, the user, or where a
        /// peer connected from.
        learned,
        /// Connections that were tried.
        dials,
        /// Of those, addresses that could not be reached.
        failures,
    }
}

counts! {
    /// P2, comparison of chains, as greetings tell them.
    Comparisons {
        /// Peers with our tip.
        same,
        /// Peers whose chain goes on where ours ended.
        behind,
        /// Peers whose chain ended below our tip.
        ahead,
        /// Peers whose chain and ours went on from a common block.
        forked,
    }
}

counts! {
    /// P3, synchronisation of blockchains.
    Sync {
        /// Headers that were new.
        headers,
        /// Whole blocks that came while we were catching up.
        blocks,
        /// Times that a peer owed us blocks or headers for too long.
        stalls,
        /// Headers that were sent.
        headers_served,
        /// Whole blocks that were sent.
        blocks_served,
    }
}

counts! {
    /// P5, comparison of mempools with a peer that is met.
    PoolSync {
        /// Summaries that were sent.
        summaries_sent,
        /// Summaries that came.
        summaries_received,
        /// Of those, summaries that differed from ours.
        differing,
        /// Transactions that were announced to peers that were met, since they may lack them.
        announced,
    }
}

counts! {
    /// P6, gossip of transactions.
    Transactions {
        /// Announcements that were sent, one for each transaction and peer.
        announced,
        /// Announcements that came.
        heard,
        /// Transactions that were asked for.
        asked,
        /// Transactions that peers asked for.
        wanted,
        /// Transactions that were sent.
        sent,
        /// Transactions that came and were not known.
        received_new,
        /// Transactions that came and were known already.
        received_known,
        /// Of those that came, transactions that are pending now, or were.
        accepted,
    }
}

counts! {
    /// P7, gossip of blocks.
    Blocks {
        /// Compact blocks that were sent.
        compact_sent,
        /// Compact blocks that came.
        compact_received,
        /// Of those, blocks that were whole with what was at hand.
        rebuilt,
        /// Of those, blocks that were whole with transactions that were asked for.
        completed,
        /// Transactions of compact blocks that were asked for.
        missing,
        /// Blocks that came whole though we were not catching up.
        whole,
    }
}

counts! {
    /// P8, gossip of lists of peers.
    PeerLists {
        /// Questions for addresses that were sent.
        asked,
        /// Lists of addresses, or of signed records, that were sent.
        lists_sent,
        /// Lists that came.
        lists_received,
        /// Addresses and records in the lists that were sent.
        sent,
        /// Addresses and records in the lists that came.
        received,
        /// Addresses that were new.
        taken,
    }
}

/// P4, handshakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// Handshakes that were begun.
    pub begun: u64,
    /// Handshakes that came to their end.
    pub done: u64,
    /// Connections that the other end closed, or that broke, before that.
    pub lost: u64,
    refused: [u64; Reason::ALL.len()],
}

impl Handshakes {
    /// Connections that ended before their handshake was done, for that reason of ours or of theirs.
    #[must_use]
    pub fn refused(&self, why: Reason) -> u64 {
        self.refused.get(usize::from(why as u8)).copied().unwrap_or(0)
    }

    /// Of those that did not come to their end, one more.
    pub(crate) fn failed(&mut self, why: Option<Reason>) {
        let place = why.and_then(|why| self.refused.get_mut(usize::from(why as u8)));
        count(place.unwrap_or(&mut self.lost), 1);
    }

    /// Reasons that never came up are left out.
    fn rows(&self) -> Vec<(&'static str, u64)> {
        let mut rows = vec![("begun", self.begun), ("done", self.done), ("lost", self.lost)];
        let refused = Reason::ALL.into_iter().map(|why| (why.refusal(), self.refused(why)));
        rows.extend(refused.filter(|(_, count)| *count > 0));
        rows
    }
}

/// What the eight operations did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// P1.
    pub discovery: Discovery,
    /// P2.
    pub comparisons: Comparisons,
    /// P3.
    pub sync: Sync,
    /// P4.
    pub handshakes: Handshakes,
    /// P5.
    pub pools: PoolSync,
    /// P6.
    pub transactions: Transactions,
    /// P7.
    pub blocks: Blocks,
    /// P8.
    pub lists: PeerLists,
}

/// One operation's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `P1` to `P8`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its counts and their names.
    pub counts: Vec<(&'static str, u64)>,
}

impl Tally {
    /// The operations in their order, as text and numbers.
    #[must_use]
    pub fn rows(&self) -> [Row; 8] {
        [
            ("P1", "node discovery", self.discovery.rows()),
            ("P2", "chain comparison", self.comparisons.rows()),
            ("P3", "blockchain sync", self.sync.rows()),
            ("P4", "handshake", self.handshakes.rows()),
            ("P5", "mempool sync", self.pools.rows()),
            ("P6", "transaction gossip", self.transactions.rows()),
            ("P7", "block gossip", self.blocks.rows()),
            ("P8", "peer list gossip", self.lists.rows()),
        ]
        .map(|(id, name, counts)| Row { id, name, counts })
    }

    pub(crate) fn compared(&mut self, comparison: Comparison) {
        let counter = match comparison {
            Comparison::Same => &mut self.comparisons.same,
            Comparison::Behind => &mut self.comparisons.behind,
            Comparison::Ahead => &mut self.comparisons.ahead,
            Comparison::Forked => &mut self.comparisons.forked,
        };
        count(counter, 1);
    }

    /// Counts what a message that is sent means.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other messages belong to no operation, or are counted elsewhere"
    )]
    pub(crate) fn sent(&mut self, message: &Message) {
        match message {
            Message::Headers(headers) => count(&mut self.sync.headers_served, headers.len()),
            Message::Block(_) => count(&mut self.sync.blocks_served, 1),
            Message::PoolSummary(_) => count(&mut self.pools.summaries_sent, 1),
            Message::Announce(items) => count(&mut self.transactions.announced, items.len()),
            Message::Inv(items) => count(&mut self.transactions.announced, transactions(items)),
            Message::Request(items) => count(&mut self.transactions.asked, items.len()),
            Message::GetData(items) => count(&mut self.transactions.asked, transactions(items)),
            Message::Transaction(_) => count(&mut self.transactions.sent, 1),
            Message::CompactBlock(_) => count(&mut self.blocks.compact_sent, 1),
            Message::GetBlockTransactions(wanted) => count(&mut self.blocks.missing, wanted.indexes.len()),
            Message::GetAddr => count(&mut self.lists.asked, 1),
            Message::Addr(list) | Message::AddrV2(list) => self.list_sent(list.len()),
            Message::PeerRecords(list) => self.list_sent(list.len()),
            _ => {}
        }
    }

    /// Counts what a message that came means.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "other messages belong to no operation, or are counted elsewhere"
    )]
    pub(crate) fn received(&mut self, message: &Message) {
        match message {
            Message::PoolSummary(_) => count(&mut self.pools.summaries_received, 1),
            Message::Announce(items) => count(&mut self.transactions.heard, items.len()),
            Message::Inv(items) => count(&mut self.transactions.heard, transactions(items)),
            Message::Request(items) => count(&mut self.transactions.wanted, items.len()),
            Message::GetData(items) => count(&mut self.transactions.wanted, transactions(items)),
            Message::CompactBlock(_) => count(&mut self.blocks.compact_received, 1),
            Message::Addr(list) | Message::AddrV2(list) => self.list_received(list.len()),
            Message::PeerRecords(list) => self.list_received(list.len()),
            _ => {}
        }
    }

    fn list_sent(&mut self, items: usize) {
        count(&mut self.lists.lists_sent, 1);
        count(&mut self.lists.sent, items);
    }

    fn list_received(&mut self, items: usize) {
        count(&mut self.lists.lists_received, 1);
        count(&mut self.lists.received, items);
    }
}

/// How many of the items are transactions.
fn transactions(items: &[Inventory]) -> usize {
    let named = |item: &&Inventory| matches!(item, Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_));
    items.iter().filter(named).count()
}

/// Messages of one kind, one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How many.
    pub messages: u64,
    /// Bytes that they took on the wire, framing included.
    pub bytes: u64,
}

impl Flow {
    fn add(&mut self, bytes: usize) {
        count(&mut self.messages, 1);
        count(&mut self.bytes, bytes);
    }
}

/// Kinds that are told apart: every one that we know, and the others together.
const KINDS: usize = Kind::ALL.len().saturating_add(1);

/// Messages by kind and direction since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    received: [Flow; KINDS],
    sent: [Flow; KINDS],
}

impl Default for Messages {
    fn default() -> Self {
        Self { received: [Flow::default(); KINDS], sent: [Flow::default(); KINDS] }
    }
}

impl Messages {
    /// Every kind in a fixed order: name on the wire (`unknown` for those that we don't know), received, sent.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, Flow, Flow)> + '_ {
        let names = Kind::ALL.into_iter().map(Kind::name).chain(std::iter::once("unknown"));
        names.zip(self.received.iter().zip(&self.sent)).map(|(name, (received, sent))| (name, *received, *sent))
    }

    pub(crate) fn count_received(&mut self, message: &Message, bytes: usize) {
        if let Some(flow) = self.received.get_mut(place(message)) {
            flow.add(bytes);
        }
    }

    pub(crate) fn count_sent(&mut self, message: &Message, bytes: usize) {
        if let Some(flow) = self.sent.get_mut(place(message)) {
            flow.add(bytes);
        }
    }
}

/// The place of a message's kind in the tables.
fn place(message: &Message) -> usize {
    Kind::of(message).map_or(Kind::ALL.len(), |kind| kind as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{kind:?}");
        }
        let mut messages = Messages::default();
        messages.count_received(&Message::Unknown { command: "news".into(), size: 3 }, 16);
        messages.count_sent(&Message::Ping(1), 10);
        messages.count_sent(&Message::Ping(2), 10);
        let heard: Vec<_> = messages.rows().filter(|(_, received, sent)| received != sent).collect();
        let (none, news, pings) = (Flow::default(), Flow { messages: 1, bytes: 16 }, Flow { messages: 2, bytes: 20 });
        assert_eq!(heard, [("ping", none, pings), ("unknown", news, none)]);
        assert_eq!(messages.rows().count(), 40);
    }

    #[test]
    fn counts_stay_at_their_end() {
        let mut counter = u64::MAX - 1;
        count(&mut counter, 1);
        count(&mut counter, usize::MAX);
        assert_eq!(counter, u64::MAX);
    }

    #[test]
    fn each_operation_has_its_row() {
        let mut tally = Tally::default();
        tally.handshakes.failed(Some(Reason::Full));
        tally.handshakes.failed(None);
        tally.compared(Comparison::Forked);
        let rows = tally.rows();
        assert_eq!(rows.each_ref().map(|row| row.id), ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]);
        let counted = |row: usize| rows[row].counts.iter().filter(|(_, count)| *count > 0).copied().collect::<Vec<_>>();
        assert_eq!((counted(1), counted(3)), (vec![("forked", 1)], vec![("lost", 1), ("refused_full", 1)]));
        assert_eq!(rows.iter().map(all).sum::<u64>(), 3);
    }

    fn all(row: &Row) -> u64 {
        row.counts.iter().map(|(_, count)| count).sum()
    }
}
