//! What was done is counted, operation by operation, and what peers are like can be asked.

use std::sync::Arc;
use std::time::Duration;

use super::line::{Network, Place, address};
use crate::address::{Address, Endpoint, Host};
use crate::codec::Kind;
use crate::fixture::{self, Chain};
use crate::io::{Command, Comparison, Event, Input, Reply};
use crate::ledger::Ledger;
use crate::link::{Carrier, Purpose};
use crate::message::{KnownAddress, Message, NetworkId, Services};
use crate::node::{Config, PeerFacts, Role};
use crate::peers::ban;
use crate::penalty::Reason;
use crate::tally::Tally;
use crate::time::Timestamp;

const A_WHILE: Duration = Duration::from_secs(20);

fn full() -> Config {
    Config::of(Role::Full)
}

/// Two nodes whose chains have these heights, the second of which dialled the first, after a while.
fn pair(heights: [u32; 2]) -> Network {
    let mut network = Network::new();
    for height in heights {
        network.start(Chain::of(height), full());
    }
    network.connect(1, 0);
    network.run(A_WHILE);
    network
}

fn tallies(network: &Network) -> [Tally; 2] {
    [0, 1].map(|index| network.places[index].node.tally())
}

/// What the place knows of its only peer.
fn only(place: &Place) -> PeerFacts {
    let [peer] = <[PeerFacts; 1]>::try_from(place.node.survey()).expect("one peer");
    peer
}

fn known_address(host: [u8; 4]) -> (Address, KnownAddress) {
    let services = Services::NETWORK.with(Services::WITNESS);
    let (host, port) = (Host::Ipv4(host.into()), 8333);
    let known = KnownAddress { seen: Timestamp(2_000_000_000), services, host: NetworkId::Known(host), port };
    (Address { identity: None, endpoint: Endpoint::Bitcoin { host, port } }, known)
}

#[test]
fn discovery_is_counted() {
    let mut network = Network::new();
    let alice = network.start(Chain::new(), full());
    let (address, _) = known_address([11, 1, 1, 1]);
    network.command(alice, Command::Learn(vec![address.clone(), address.clone()]));
    network.command(alice, Command::AddPeer(address.clone(), Purpose::Manual));
    // Less than until it is tried again.
    network.run(Duration::from_millis(100));
    let node = &network.places[alice].node;
    let discovery = node.tally().discovery;
    assert_eq!((discovery.learned, discovery.dials, discovery.failures), (1, 1, 1), "nobody answers there");
    assert_eq!(node.known(10).into_iter().map(|(known, _)| known).collect::<Vec<_>>(), [&address]);
    assert_eq!((node.known(0).len(), node.known_len()), (0, 1));
}

#[test]
fn comparison_and_sync_are_counted() {
    let network = pair([60, 0]);
    let [alice, bob] = tallies(&network);
    assert_eq!((alice.comparisons.ahead, bob.comparisons.behind), (1, 1));
    assert_eq!((bob.sync.headers, bob.sync.stalls, alice.sync.headers_served), (60, 0, 60));
    // Two below the tip, a node counts as caught up: what comes then is gossip.
    let gossip = bob.blocks.whole + bob.blocks.rebuilt + bob.blocks.completed;
    assert_eq!(bob.sync.blocks + gossip, 60);
    assert!(gossip <= 2 && alice.sync.blocks_served >= bob.sync.blocks, "{alice:?} {bob:?}");
}

#[test]
fn who_owes_blocks_for_too_long_is_counted() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(60), full());
    let bob = network.start(Chain::new(), full());
    network.places[alice].chain.blocks.clear();
    network.connect(bob, alice);
    network.run(A_WHILE);
    // She gives headers, and no block that they promise; her `notfound` is lost with the line.
    let lines = std::mem::take(&mut network.places[alice].lines);
    assert_eq!(lines.len(), 1);
    network.run(Duration::from_secs(600));
    let tally = network.places[bob].node.tally();
    assert_eq!((tally.sync.headers, tally.sync.blocks), (60, 0));
    assert!(network.places[bob].parted.contains(&Reason::TooSlow), "{:?}", network.places[bob].parted);
}

#[test]
fn handshakes_are_counted_by_their_ends() {
    let mut network = pair([1, 1]);
    assert!(tallies(&network).iter().all(|tally| (tally.handshakes.begun, tally.handshakes.done) == (1, 1)));
    // A third comes to find that it is banned, a fourth says nothing.
    let carol = network.start(Chain::of(1), full());
    let target = ban::Target::Identity(address(carol).identity.expect("it has one"));
    network.command(0, Command::Ban(target, Timestamp(2_000_001_000)));
    network.connect(carol, 0);
    network.run(A_WHILE);
    let dave = network.start(Chain::of(1), full());
    network.connect(dave, 0);
    network.places[dave].lines.clear();
    network.run(Duration::from_secs(120));
    let handshakes = network.places[0].node.tally().handshakes;
    assert_eq!((handshakes.begun, handshakes.done, handshakes.lost), (3, 1, 0));
    assert_eq!((handshakes.refused(Reason::Banned), handshakes.refused(Reason::Handshake)), (1, 1));
    assert_eq!(network.places[carol].node.tally().handshakes.lost, 1, "it was not told why");
}

#[test]
fn mempools_that_differ_are_counted() {
    let mut network = Network::new();
    for index in 0..2 {
        network.start(Chain::of(5), full());
        for salt in 0..10 {
            let payment = fixture::transaction(salt, 300);
            // One has them all, the other all but the first two.
            if index == 0 || salt > 1 {
                network.command(index, Command::Submit(payment));
            }
        }
    }
    network.run(A_WHILE);
    network.connect(1, 0);
    network.run(A_WHILE);
    let [alice, bob] = tallies(&network);
    assert_eq!((alice.pools.summaries_sent, alice.pools.summaries_received, alice.pools.differing), (1, 1, 1));
    assert!(alice.pools.announced >= 2, "{alice:?}");
    assert_eq!((bob.transactions.received_new, bob.transactions.accepted, alice.transactions.sent), (2, 2, 2));
    assert_eq!(network.places[1].chain.pool_len(), 10);
}

#[test]
fn transactions_are_counted_as_new_or_known() {
    let mut network = pair([5, 5]);
    let payment = fixture::transaction(1, 300);
    network.command(0, Command::Submit(Arc::clone(&payment)));
    network.run(A_WHILE);
    let [alice, bob] = tallies(&network);
    let sums = |tally: &Tally| {
        let counts = &tally.transactions;
        (counts.sent, counts.received_new, counts.received_known, counts.accepted)
    };
    assert_eq!((sums(&alice), sums(&bob)), ((1, 0, 0, 0), (0, 1, 0, 1)));
    assert_eq!(alice.transactions.wanted, bob.transactions.asked);
    assert_eq!(alice.transactions.announced, bob.transactions.heard);
    // The same once more, as a peer would that does not know what was sent.
    let (there, _) = network.places[1].lines.first_key_value().expect("they are connected");
    let (peer, message) = (*there, Message::Transaction(payment));
    network.input(1, Input::Message { peer, message, size: 300 });
    assert_eq!(sums(&network.places[1].node.tally()), (0, 1, 1, 1));
}

#[test]
fn blocks_are_counted_by_the_way_they_came() {
    let mut network = pair([5, 5]);
    // The first block makes its giver one that sends blocks unasked.
    for _ in 0..3 {
        network.mine(0);
        network.run(A_WHILE);
    }
    let [alice, bob] = tallies(&network);
    assert_eq!(alice.blocks.compact_sent, bob.blocks.compact_received);
    assert_eq!(bob.blocks.rebuilt + bob.blocks.completed + bob.blocks.whole, 3, "{bob:?}");
    assert!(bob.blocks.rebuilt >= 2, "{bob:?}");
    // One with a transaction that the other lacks.
    let chain = &network.places[0].chain;
    let block = chain.mine(chain.tip, 7, &[fixture::transaction(9, 300)]);
    network.command(0, Command::SubmitBlock(block));
    network.run(A_WHILE);
    let more = network.places[1].node.tally();
    assert_eq!((more.blocks.missing, more.blocks.completed), (1, bob.blocks.completed + 1), "{more:?}");
    assert_eq!(network.heights(), [9, 9]);
}

#[test]
fn lists_of_peers_are_counted() {
    let mut network = pair([1, 1]);
    let [_, bob] = tallies(&network);
    assert_eq!(bob.lists.asked, 1, "who dials asks");
    let (_, known) = known_address([11, 1, 1, 1]);
    let (peer, _) = network.places[1].lines.first_key_value().expect("they are connected");
    let (peer, message) = (*peer, Message::AddrV2(vec![known.clone(), known]));
    network.input(1, Input::Message { peer, message, size: 50 });
    let tally = network.places[1].node.tally();
    let received = (tally.lists.lists_received - bob.lists.lists_received, tally.lists.received - bob.lists.received);
    assert_eq!((received, tally.lists.taken, tally.discovery.learned), ((1, 2), 1, bob.discovery.learned));
}

#[test]
fn messages_are_counted_by_kind_with_their_bytes() {
    let network = pair([0, 0]);
    let node = &network.places[1].node;
    let row = |kind: Kind| node.messages().rows().find(|(name, ..)| *name == kind.name()).expect("every kind has one");
    let (_, received, sent) = row(Kind::Verack);
    // On streams: a length and a type. What comes is as large as the network says.
    assert_eq!(((received.messages, received.bytes), (sent.messages, sent.bytes)), ((1, 100), (1, 2)));
    let all: u64 = node.messages().rows().map(|(_, _, sent)| sent.messages).sum();
    assert_eq!(all, network.places[1].sent.len() as u64);
}

#[test]
fn peers_are_surveyed() {
    let mut network = Network::new();
    network.start(Chain::of(30), full());
    network.start(Chain::new(), full());
    network.connect(1, 0);
    network.run(Duration::from_millis(60));
    let early = only(&network.places[1]);
    assert!(early.established.is_none() && early.latency.is_none() && early.comparison.is_none(), "{early:?}");
    assert_eq!((early.last_sent, early.last_received), (Some(early.connected), None));
    network.run(A_WHILE);
    let [alice, bob] = [0, 1].map(|index| only(&network.places[index]));
    let known = bob.established.as_ref().expect("the handshake is done");
    assert_eq!((known.start_height, known.clock_offset, bob.link.carrier), (30, 0, Carrier::Libp2p));
    assert_eq!((bob.link.purpose, alice.link.purpose), (Some(Purpose::Manual), None));
    assert_eq!((bob.comparison, alice.comparison), (Some(Comparison::Behind), Some(Comparison::Ahead)));
    let chain = &network.places[1].chain;
    assert_eq!(bob.best_header.map(|id| chain.tree.height(id)), Some(30));
    assert_eq!(bob.latency.map(|latency| latency.min), Some(Duration::from_millis(100)));
    assert_eq!((bob.blocks_in_flight, bob.status.score, bob.congested), (0, 0, false));
    assert_eq!(bob.connected, Timestamp(2_000_000_000));
    assert!(bob.last_block.is_some_and(|then| then >= bob.connected), "it gave blocks: {bob:?}");
    assert_eq!((bob.last_transaction, alice.last_block), (None, None));
    // What is told is rounded, so that nobody can tell from it who is who.
    assert!((1..=chain.min_feerate()).contains(&alice.least_feerate), "it says what it takes: {alice:?}");
    network.mine(0);
    network.run(A_WHILE);
    assert_eq!(only(&network.places[1]).high_bandwidth.1, only(&network.places[0]).high_bandwidth.0);
    assert!(only(&network.places[1]).high_bandwidth.1, "whoever gave the last block gives the next unasked");
}

#[test]
fn what_is_under_way_is_surveyed() {
    let mut network = Network::new();
    network.start(Chain::of(60), full());
    network.start(Chain::new(), full());
    network.connect(1, 0);
    // Until blocks are asked for, which come one way later.
    for _ in 0..200 {
        network.run(Duration::from_millis(5));
        if only(&network.places[1]).blocks_in_flight > 0 {
            break;
        }
    }
    assert!((1..=60).contains(&only(&network.places[1]).blocks_in_flight));
    network.run(A_WHILE);
    assert_eq!(only(&network.places[1]).blocks_in_flight, 0);
}

#[test]
fn peers_are_pinged_when_somebody_asks() {
    let mut network = pair([1, 1]);
    let pings = |place: &Place| place.sent.iter().filter(|message| matches!(message, Message::Ping(_))).count();
    assert_eq!(pings(&network.places[0]), 0, "none was due");
    network.command(0, Command::Ping);
    network.command(0, Command::Ping);
    assert_eq!(pings(&network.places[0]), 1, "one is on its way");
    network.run(A_WHILE);
    assert_eq!(only(&network.places[0]).latency.map(|latency| latency.last), Some(Duration::from_millis(100)));
    network.run(Duration::from_secs(60));
    assert!(network.places[0].parted.is_empty() && network.places[1].parted.is_empty());
}

#[test]
fn each_of_a_pair_has_its_reply() {
    let mut network = Network::new();
    network.start(Chain::of(1), full());
    let parent = fixture::transaction(1, 300);
    let child = fixture::spend(bitcoin::OutPoint { txid: parent.txid(), vout: 0 }, 300);
    let pair = || Command::SubmitPair {
        child: Arc::clone(&child),
        parent: Arc::clone(&parent),
        parent_ticket: crate::io::Ticket(7_777),
    };
    network.command(0, pair());
    network.run(A_WHILE);
    let mut replies = network.places[0].replies.clone();
    replies.sort_by_key(|(ticket, _)| ticket.0);
    let (tickets, replies): (Vec<_>, Vec<_>) = replies.into_iter().unzip();
    assert!(replies.iter().all(|reply| matches!(reply, Reply::Transaction(_))), "{replies:?}");
    assert_eq!((tickets.len(), tickets[1].0), (2, 7_777));
    assert_eq!(network.places[0].node.untaken().count(), 2, "nobody is there to take them");
    network.command(0, Command::Shutdown);
    network.places[0].replies.clear();
    network.command(0, pair());
    let stopped = network.places[0].replies.iter().filter(|(_, reply)| *reply == Reply::Stopped).count();
    assert_eq!(stopped, 2, "nobody waits for a node that has stopped");
}

#[test]
fn the_user_bans_and_forgives() {
    let mut network = Network::new();
    for index in 0..2 {
        let mut config = full();
        config.peers.identity = address(index).identity;
        network.start(Chain::of(1), config);
    }
    network.connect(1, 0);
    network.run(A_WHILE);
    let target = ban::Target::Identity(address(1).identity.expect("it has one"));
    let until = Timestamp(2_000_010_000);
    network.command(0, Command::Ban(target.clone(), until));
    network.run(A_WHILE);
    assert_eq!(
        (network.places[0].parted.as_slice(), network.places[0].node.survey().len()),
        (&[Reason::Banned][..], 0)
    );
    let (banned, ban) = network.places[0].node.bans().next().expect("there is one");
    assert_eq!((banned, ban.until, network.places[0].node.bans().count()), (&target, until, 1));
    assert!(ban.since > Timestamp(0) && ban.since < until, "it began when it was asked for: {ban:?}");
    let replies = |network: &mut Network, command| {
        network.command(0, command);
        network.places[0].replies.last().map(|(_, reply)| reply.clone())
    };
    assert_eq!(replies(&mut network, Command::Unban(target.clone())), Some(Reply::Done));
    assert_eq!(replies(&mut network, Command::Unban(target)), Some(Reply::NoPeer));
    assert_eq!(network.places[0].node.bans().count(), 0);
    network.connect(1, 0);
    network.run(A_WHILE);
    assert_eq!(network.places[0].node.survey().len(), 1);
    let ready = |event: &&Event| matches!(event, Event::PeerReady { .. });
    assert_eq!(network.places[0].events.iter().filter(ready).count(), 2);
}
