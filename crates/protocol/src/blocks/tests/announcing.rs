//! Who is told of a new block, and how.

use super::*;
use crate::blocks::announce::MAX_HEADERS;
use crate::fixture::transaction;

fn wants_all(world: &mut World, peer: PeerId) {
    world.state.on_sendcmpct(peer, SendCompact { high_bandwidth: true, version: compact::VERSION });
}

/// A caught-up node at height 5, and peers that have its chain.
fn with_peers(peers: &[PeerId]) -> World {
    let mut world = World::new(5);
    world.meet(peers, Direction::Outbound);
    for peer in peers {
        let tip = world.chain.tip;
        world.state.has(*peer, tip, world.now, &world.chain);
    }
    let _ = world.wait(Duration::from_secs(1));
    world
}

fn compact_blocks(out: &[Outcome], to: PeerId) -> usize {
    sent(out, to).into_iter().filter(|message| matches!(message, Message::CompactBlock(_))).count()
}

fn headers(out: &[Outcome], to: PeerId) -> Vec<BlockHash> {
    sent(out, to)
        .into_iter()
        .flat_map(|message| match message {
            Message::Headers(headers) => headers.iter().map(bitcoin::block::Header::block_hash).collect(),
            _ => Vec::new(),
        })
        .collect()
}

fn invs(out: &[Outcome], to: PeerId) -> Vec<Inventory> {
    sent(out, to)
        .into_iter()
        .flat_map(|message| match message {
            Message::Inv(items) => items.clone(),
            _ => Vec::new(),
        })
        .collect()
}

/// Whether peers were asked for high bandwidth, in order.
fn chosen(out: &[Outcome]) -> Vec<(PeerId, bool)> {
    out.iter()
        .filter_map(|outcome| match outcome {
            Outcome::Send(peer, Message::SendCompact(message)) => Some((*peer, message.high_bandwidth)),
            _ => None,
        })
        .collect()
}

fn relayed(out: &[Outcome]) -> usize {
    out.iter().filter(|outcome| matches!(outcome, Outcome::Relayed(_))).count()
}

#[test]
fn block_is_sent_on_before_it_is_validated_to_those_who_asked_for_that() {
    let mut world = with_peers(&[ALICE, BOB, CAROL]);
    wants_all(&mut world, ALICE);
    wants_all(&mut world, BOB);
    let block = world.mine(world.chain.tip, 0, &[]);
    let out = world.compact(ALICE, &compact::make(&block, 1, &BTreeSet::new()));
    assert_eq!(processing(&out), [block.hash()]);
    assert_eq!((compact_blocks(&out, ALICE), compact_blocks(&out, BOB), compact_blocks(&out, CAROL)), (0, 1, 0));
    assert_eq!(relayed(&out), 1);
    let out = world.connect(&block);
    assert_eq!(headers(&out, CAROL), [block.hash()]);
    assert!(sent(&out, BOB).iter().all(|message| matches!(message, Message::SendCompact(_))), "once is enough");
    assert!(sent(&out, ALICE).iter().all(|message| matches!(message, Message::SendCompact(_))), "she has it");
    assert_eq!(relayed(&out), 0, "it was said");
}

#[test]
fn whole_block_is_sent_on_too() {
    let mut world = with_peers(&[ALICE, BOB]);
    wants_all(&mut world, BOB);
    let block = world.mine(world.chain.tip, 0, &[]);
    let _ = world.has(ALICE, &block);
    let out = world.block(ALICE, &block);
    assert_eq!(compact_blocks(&out, BOB), 1);
}

#[test]
fn own_block_is_told_once_it_is_connected() {
    let mut world = with_peers(&[ALICE, BOB, CAROL]);
    wants_all(&mut world, ALICE);
    let _ = world.step(|state, now, chain| state.disconnected(CAROL, now, chain));
    let _ = world.step(|state, now, chain| state.ready(CAROL, facts(Direction::Inbound), now, chain));
    let block = world.mine(world.chain.tip, 0, &[]);
    let out = world.connect(&block);
    assert_eq!(compact_blocks(&out, ALICE), 1);
    assert_eq!(headers(&out, BOB), [block.hash()]);
    assert_eq!(invs(&out, CAROL), [Inventory::Block(block.hash())], "nothing is known of what she has");
    assert_eq!(relayed(&out), 1);
}

#[test]
fn who_was_given_the_headers_is_told_in_short_what_follows_them() {
    let mut world = World::new(5);
    world.meet(&[ALICE, BOB, CAROL], Direction::Inbound);
    let (tip, parent) = (world.chain.tip, world.chain.tree.parent(world.chain.tip).unwrap());
    for (peer, last) in [(ALICE, tip), (BOB, parent)] {
        wants_all(&mut world, peer);
        world.state.told(peer, last, &world.chain);
    }
    wants_all(&mut world, CAROL);
    // Asking again from further back unlearns nothing.
    world.state.told(ALICE, parent, &world.chain);
    assert_eq!([ALICE, BOB, CAROL].map(|peer| world.state.last_told(peer)), [Some(tip), Some(parent), None]);
    let block = world.mine(tip, 0, &[]);
    let out = world.connect(&block);
    assert_eq!([ALICE, BOB, CAROL].map(|peer| compact_blocks(&out, peer)), [1, 0, 0]);
    let new = world.chain.tip;
    assert_eq!([ALICE, BOB, CAROL].map(|peer| world.state.last_told(peer)), [Some(new), Some(parent), None]);
}

#[test]
fn transactions_that_had_to_be_fetched_are_sent_along() {
    let mut world = with_peers(&[ALICE, BOB]);
    wants_all(&mut world, BOB);
    let known = world.chain.pend(1, 200, 1000);
    let fetched = transaction(2, 200);
    let block = world.mine(world.chain.tip, 0, &[known, Arc::clone(&fetched)]);
    let _ = world.compact(ALICE, &compact::make(&block, 1, &BTreeSet::new()));
    let message = BlockTransactions { block: block.hash(), transactions: vec![fetched] };
    let out = world.step(|state, now, chain| state.on_blocktxn(ALICE, &message, now, chain));
    let [Message::CompactBlock(message)] = sent(&out, BOB)[..] else { panic!("{:?}", sent(&out, BOB)) };
    assert_eq!(message.prefilled.iter().map(|prefilled| prefilled.index).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(message.short_ids.len(), 1);
}

#[test]
fn peer_that_lacks_the_block_before_gets_no_compact_block() {
    let mut world = with_peers(&[ALICE, BOB]);
    wants_all(&mut world, CAROL);
    world.meet(&[CAROL], Direction::Inbound);
    wants_all(&mut world, CAROL);
    let block = world.mine(world.chain.tip, 0, &[]);
    let out = world.compact(ALICE, &compact::make(&block, 1, &BTreeSet::new()));
    assert_eq!(compact_blocks(&out, CAROL), 0);
    let out = world.connect(&block);
    assert_eq!(invs(&out, CAROL), [Inventory::Block(block.hash())]);
}

#[test]
fn nothing_large_is_sent_to_a_congested_peer() {
    let mut world = with_peers(&[ALICE, BOB]);
    wants_all(&mut world, BOB);
    let _ = world.step(|state, now, chain| state.congested(BOB, true, now, chain));
    let block = world.mine(world.chain.tip, 0, &[]);
    let mut out = world.compact(ALICE, &compact::make(&block, 1, &BTreeSet::new()));
    out.extend(world.connect(&block));
    assert_eq!(compact_blocks(&out, BOB), 0);
    assert_eq!(headers(&out, BOB), [block.hash()]);
}

/// Moves the tip from the block at height 5 to a branch of `length` blocks from the genesis block.
fn reorganise(world: &mut World, length: usize) -> (Vec<BlockHash>, Vec<Outcome>) {
    let old = world.chain.tip;
    let mut parent = world.chain.tree.genesis();
    let mut hashes = Vec::new();
    for _ in 0..length {
        let block = world.mine(parent, 8, &[]);
        parent = world.chain.store(&block);
        hashes.push(block.hash());
    }
    let path = world.chain.tree.path(old, parent);
    world.chain.tip = parent;
    let change = TipChange {
        disconnected: path.disconnect.iter().map(|id| world.chain.tree.hash(*id)).collect(),
        connected: hashes.iter().map(|hash| (*hash, None)).collect(),
    };
    let out = world.step(|state, now, chain| state.tip(&change, now, chain));
    (hashes, out)
}

#[test]
fn reorganisation_is_told_by_headers_up_to_the_bound() {
    let mut world = with_peers(&[ALICE]);
    let (hashes, out) = reorganise(&mut world, MAX_HEADERS);
    assert_eq!(headers(&out, ALICE), hashes);
    let mut world = with_peers(&[ALICE]);
    let (hashes, out) = reorganise(&mut world, MAX_HEADERS + 1);
    assert!(headers(&out, ALICE).is_empty());
    assert_eq!(invs(&out, ALICE), [Inventory::Block(hashes[MAX_HEADERS])]);
}

#[test]
fn nothing_is_told_while_catching_up_and_the_head_when_that_is_over() {
    let age = Duration::from_secs(24 * 3600);
    let mut world = World::with(Chain::of(3), Config { max_tip_age: Some(age), ..Config::default() });
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let tip = world.chain.tip;
    world.state.has(BOB, tip, world.now, &world.chain);
    let block = world.mine(tip, 0, &[]);
    let out = world.connect(&block);
    assert!(sent(&out, ALICE).is_empty() && sent(&out, BOB).is_empty());
    let time = Timestamp(u64::from(world.chain.tree.time(world.chain.tip)));
    world.state.clock(time, world.now);
    let out = world.wait(Duration::from_secs(1));
    assert!(matches!(out[0], Outcome::CaughtUp));
    assert_eq!(invs(&out, ALICE), [Inventory::Block(block.hash())]);
    assert_eq!(headers(&out, BOB), [block.hash()]);
}

#[test]
fn outbound_peers_are_chosen_up_to_the_bound() {
    let mut world = World::new(1);
    let mut out = Vec::new();
    for peer in (1..=4).map(PeerId) {
        out.extend(world.step(|state, now, chain| state.ready(peer, facts(Direction::Outbound), now, chain)));
    }
    assert_eq!(chosen(&out), [(PeerId(1), true), (PeerId(2), true), (PeerId(3), true), (PeerId(4), false)]);
    let out = world.step(|state, now, chain| state.disconnected(PeerId(2), now, chain));
    assert_eq!(chosen(&out), [(PeerId(4), true)]);
}

#[test]
fn whoever_gives_new_blocks_first_is_chosen() {
    let mut world = with_peers(&[ALICE, BOB, CAROL, DAVE]);
    for (peer, expected) in [
        (ALICE, vec![]),
        (DAVE, vec![(CAROL, false), (DAVE, true)]),
        (CAROL, vec![(BOB, false), (CAROL, true)]),
        (DAVE, vec![]),
    ] {
        let block = world.mine(world.chain.tip, 0, &[]);
        let mut out = world.compact(peer, &compact::make(&block, 1, &BTreeSet::new()));
        out.extend(world.connect(&block));
        assert_eq!(chosen(&out), expected, "{peer} gave a block");
    }
    assert_eq!(world.state.announce.chosen(), [DAVE, CAROL, ALICE]);
}

#[test]
fn inbound_peers_do_not_push_out_the_last_that_we_chose() {
    let mut world = with_peers(&[ALICE]);
    let strangers: Vec<_> = (10..14).map(PeerId).collect();
    world.meet(&strangers, Direction::Inbound);
    for stranger in strangers {
        let block = world.mine(world.chain.tip, 0, &[]);
        let _ = world.compact(stranger, &compact::make(&block, 1, &BTreeSet::new()));
        let _ = world.connect(&block);
    }
    assert!(world.state.announce.chosen().contains(&ALICE));
    assert_eq!(world.state.announce.chosen().len(), HIGH_BANDWIDTH);
}

#[test]
fn carriers_have_their_own_numbers() {
    let mut world = World::new(1);
    let libp2p = Facts { carrier: Carrier::Libp2p, ..facts(Direction::Outbound) };
    let mut out = Vec::new();
    for peer in (20..40).map(PeerId) {
        out.extend(world.step(|state, now, chain| state.ready(peer, libp2p, now, chain)));
    }
    for peer in (11..=14).map(PeerId) {
        out.extend(world.step(|state, now, chain| state.ready(peer, facts(Direction::Outbound), now, chain)));
    }
    let count = chosen(&out).iter().filter(|(_, chosen)| *chosen).count();
    assert_eq!(count, HIGH_BANDWIDTH + HIGH_BANDWIDTH_LIBP2P);
}

#[test]
fn other_versions_of_compact_blocks_are_passed_over() {
    let mut world = with_peers(&[ALICE]);
    world.state.on_sendcmpct(ALICE, SendCompact { high_bandwidth: true, version: 1 });
    let block = world.mine(world.chain.tip, 0, &[]);
    assert_eq!(compact_blocks(&world.connect(&block), ALICE), 0);
}

#[test]
fn guests_of_our_carrier_make_room_for_those_we_dialled() {
    let mut world = World::new(1);
    let of = |direction| Facts { carrier: Carrier::Libp2p, ..facts(direction) };
    for peer in (1..=HIGH_BANDWIDTH_LIBP2P as u64 + 1).map(PeerId) {
        let _ = world.step(|state, now, chain| state.ready(peer, of(Direction::Inbound), now, chain));
    }
    assert_eq!(world.state.announce.chosen().len(), HIGH_BANDWIDTH_LIBP2P);
    let last = *world.state.announce.chosen().last().unwrap();
    let newcomer = PeerId(100);
    let out = world.step(|state, now, chain| state.ready(newcomer, of(Direction::Outbound), now, chain));
    assert_eq!(chosen(&out), [(last, false), (newcomer, true)]);
    assert_eq!(world.state.announce.chosen().len(), HIGH_BANDWIDTH_LIBP2P);
}
