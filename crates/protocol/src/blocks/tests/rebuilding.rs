//! Compact blocks that peers send us.

use super::*;
use crate::blocks::rebuild::{MAX_REBUILT, MAX_SOURCES, STANDBY_WAIT, WHOLE_WAIT};
use crate::fixture::transaction;

/// A caught-up node with `known` transactions pending, and a block of those and of `unknown` others.
fn with_block(known: u64, unknown: u64) -> (World, Arc<Block>, Vec<Arc<Transaction>>) {
    let mut world = World::new(5);
    world.meet(&[ALICE, BOB, CAROL, DAVE], Direction::Outbound);
    let mut transactions: Vec<_> = (0..known).map(|salt| world.chain.pend(salt, 200, 1000)).collect();
    transactions.extend((1000..1000 + unknown).map(|salt| transaction(salt, 200)));
    let block = world.mine(world.chain.tip, 0, &transactions);
    (world, block, transactions)
}

fn form(block: &Block) -> CompactBlock {
    compact::make(block, 77, &BTreeSet::new())
}

fn answer(world: &mut World, peer: PeerId, block: &Block, transactions: &[Arc<Transaction>]) -> Vec<Outcome> {
    let message = BlockTransactions { block: block.hash(), transactions: transactions.to_vec() };
    world.step(|state, now, chain| state.on_blocktxn(peer, &message, now, chain))
}

/// The places that a peer was asked for.
fn places(out: &[Outcome], of: PeerId) -> Vec<u16> {
    sent(out, of)
        .into_iter()
        .flat_map(|message| match message {
            Message::GetBlockTransactions(message) => message.indexes.clone(),
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn block_of_known_transactions_needs_no_round_trip() {
    let (mut world, block, _) = with_block(10, 0);
    let id = world.id(&block);
    // As the router does: the header first.
    world.state.has(ALICE, id, world.now, &world.chain);
    let out = world.compact(ALICE, &form(&block));
    assert_eq!(processing(&out), [block.hash()]);
    assert!(sent(&out, ALICE).is_empty(), "nothing is asked: {:?}", sent(&out, ALICE));
    assert!(asked(&world.wait(Duration::from_secs(60)), ALICE).is_empty());
}

#[test]
fn missing_transactions_take_one_round_trip() {
    let (mut world, block, transactions) = with_block(3, 2);
    let out = world.compact(ALICE, &form(&block));
    assert!(processing(&out).is_empty());
    assert_eq!(places(&out, ALICE), [4, 5]);
    assert!(asked(&out, ALICE).is_empty());
    let out = answer(&mut world, ALICE, &block, &transactions[3..]);
    assert_eq!(processing(&out), [block.hash()]);
    assert!(answer(&mut world, ALICE, &block, &transactions[3..]).is_empty(), "once more is passed over");
}

#[test]
fn extra_transactions_save_the_round_trip() {
    let (mut world, block, transactions) = with_block(3, 1);
    world.state.extra(Arc::clone(&transactions[3]));
    assert_eq!(processing(&world.compact(ALICE, &form(&block))), [block.hash()]);
}

#[test]
fn transactions_of_a_stale_block_are_kept_for_the_next() {
    let (mut world, block, transactions) = with_block(0, 2);
    let old = world.chain.tip;
    let _ = world.block(ALICE, &block);
    let _ = world.connect(&block);
    let one = world.mine(old, 9, &[]);
    let _ = world.block(BOB, &one);
    let id = world.chain.store(&one);
    let two = world.mine(id, 9, &transactions);
    world.chain.tip = world.id(&block);
    let _ = world.block(BOB, &two);
    let _ = world.connect(&two);
    let three = world.mine(world.chain.tip, 1, &transactions);
    assert_eq!(processing(&world.compact(ALICE, &form(&three))), [three.hash()]);
}

#[test]
fn second_copy_of_a_block_is_passed_over() {
    let (mut world, block, _) = with_block(3, 0);
    let _ = world.compact(ALICE, &form(&block));
    let out = world.compact(BOB, &form(&block));
    assert!(processing(&out).is_empty() && faults(&out).is_empty());
    let _ = world.connect(&block);
    assert!(processing(&world.compact(CAROL, &form(&block))).is_empty());
}

#[test]
fn silent_peer_is_replaced_by_one_that_stands_by() {
    let (mut world, block, transactions) = with_block(3, 1);
    let _ = world.compact(ALICE, &form(&block));
    let out = world.compact(BOB, &form(&block));
    assert!(places(&out, BOB).is_empty(), "one at a time");
    let out = world.wait(STANDBY_WAIT);
    assert_eq!(places(&out, BOB), [4]);
    assert_eq!(processing(&answer(&mut world, BOB, &block, &transactions[3..])), [block.hash()]);
    assert!(faults(&answer(&mut world, ALICE, &block, &transactions[3..])).is_empty());
}

#[test]
fn whole_block_is_fetched_when_nobody_answers() {
    let (mut world, block, transactions) = with_block(3, 1);
    let _ = world.compact(ALICE, &form(&block));
    let out = world.wait(WHOLE_WAIT);
    assert_eq!(asked(&out, ALICE), [Inventory::WitnessBlock(block.hash())]);
    assert!(faults(&out).is_empty());
    // The slow answer still comes first.
    assert_eq!(processing(&answer(&mut world, ALICE, &block, &transactions[3..])), [block.hash()]);
    let out = world.block(ALICE, &block);
    assert!(processing(&out).is_empty() && faults(&out).is_empty());
}

#[test]
fn peer_that_leaves_is_replaced() {
    let (mut world, block, _) = with_block(3, 1);
    let _ = world.compact(ALICE, &form(&block));
    let _ = world.compact(BOB, &form(&block));
    let out = world.step(|state, now, chain| state.disconnected(ALICE, now, chain));
    assert_eq!(places(&out, BOB), [4]);
    let out = world.step(|state, now, chain| state.disconnected(BOB, now, chain));
    assert!(sent(&out, CAROL).iter().all(|message| !matches!(message, Message::GetData(_))), "she does not have it");
    let out = world.has(CAROL, &block);
    assert_eq!(asked(&out, CAROL), [Inventory::CompactBlock(block.hash())]);
}

#[test]
fn so_many_sources_are_kept_and_no_more() {
    let (mut world, block, _) = with_block(3, 1);
    let peers: Vec<_> = (10..).map(PeerId).take(MAX_SOURCES + 1).collect();
    world.meet(&peers, Direction::Inbound);
    let mut out = Vec::new();
    for peer in &peers {
        out.extend(world.compact(*peer, &form(&block)));
    }
    out.extend(world.wait(STANDBY_WAIT.saturating_mul(10)));
    let ones = peers.iter().filter(|peer| !places(&out, **peer).is_empty()).count();
    assert_eq!(ones, MAX_SOURCES);
}

#[test]
fn so_many_blocks_are_rebuilt_and_no_more() {
    let (mut world, _, _) = with_block(0, 0);
    let blocks: Vec<_> =
        (1..=MAX_REBUILT as u64 + 1).map(|salt| world.mine(world.chain.tip, salt, &[transaction(salt, 100)])).collect();
    for block in &blocks[..MAX_REBUILT] {
        assert_eq!(places(&world.compact(ALICE, &form(block)), ALICE), [1]);
    }
    let out = world.compact(ALICE, &form(&blocks[MAX_REBUILT]));
    assert!(places(&out, ALICE).is_empty() && faults(&out).is_empty());
}

#[test]
fn short_id_of_another_transaction_costs_the_whole_block_and_is_no_fault() {
    let (mut world, block, _) = with_block(3, 0);
    let stranger = world.chain.pend(99, 200, 1000);
    let mut message = form(&block);
    message.short_ids[2] = compact::Key::new(block.header(), 77).short_id(&stranger.wtxid());
    let out = world.compact(ALICE, &message);
    assert!(processing(&out).is_empty() && faults(&out).is_empty());
    assert_eq!(asked(&out, ALICE), [Inventory::WitnessBlock(block.hash())]);
    let mut twice = form(&block);
    twice.short_ids[1] = twice.short_ids[0];
    let out = world.compact(BOB, &twice);
    assert!(faults(&out).is_empty());
}

#[test]
fn places_beyond_the_block_are_a_fault() {
    let (mut world, block, _) = with_block(3, 0);
    let mut message = form(&block);
    message.prefilled[0].index = 4;
    let out = world.compact(ALICE, &message);
    assert_eq!(faults(&out), [(ALICE, Fault::CompactBlock { hash: block.hash() })]);
}

#[test]
fn another_number_of_transactions_is_a_fault_and_the_next_peer_is_asked() {
    let (mut world, block, _) = with_block(3, 1);
    let _ = world.compact(ALICE, &form(&block));
    let _ = world.compact(BOB, &form(&block));
    let out = answer(&mut world, ALICE, &block, &[]);
    assert_eq!(faults(&out), [(ALICE, Fault::BlockTransactions { hash: block.hash(), asked: 1, sent: 0 })]);
    assert_eq!(places(&out, BOB), [4]);
    let wrong = transaction(5555, 100);
    let out = answer(&mut world, BOB, &block, &[wrong]);
    assert!(faults(&out).is_empty(), "it may be a short id that two have");
    assert!(!asked(&out, ALICE).is_empty() || !asked(&out, BOB).is_empty(), "the whole block");
}

#[test]
fn block_that_turns_out_to_be_invalid_is_no_fault_of_who_forwarded_it() {
    let (mut world, block, _) = with_block(3, 0);
    let _ = world.compact(ALICE, &form(&block));
    world.chain.tree.invalidate(&block.hash());
    let out = world.processed(block.hash(), &Processed::Invalid { reason: "bad-cb-amount", mutated: false });
    assert!(faults(&out).is_empty());
    assert!(processing(&world.compact(BOB, &form(&block))).is_empty(), "it is known to be invalid");
}

#[test]
fn blocks_of_no_more_work_or_far_ahead_are_not_rebuilt() {
    let (mut world, block, _) = with_block(0, 0);
    let parent = world.chain.tree.parent(world.chain.tip).unwrap();
    let sibling = world.mine(parent, 3, &[]);
    assert!(processing(&world.compact(ALICE, &form(&sibling))).is_empty());
    let mut parent = world.id(&block);
    let chain: Vec<_> = (0..2)
        .map(|_| {
            let next = world.mine(parent, 0, &[]);
            parent = world.id(&next);
            next
        })
        .collect();
    assert_eq!(processing(&world.compact(ALICE, &form(&chain[0]))), [chain[0].hash()], "two above the tip");
    assert!(processing(&world.compact(ALICE, &form(&chain[1]))).is_empty(), "three above the tip");
}

#[test]
fn announced_block_is_asked_for_in_compact_form_if_it_is_the_next() {
    let (mut world, block, _) = with_block(3, 0);
    let out = world.has(ALICE, &block);
    assert_eq!(asked(&out, ALICE), [Inventory::CompactBlock(block.hash())]);
    assert_eq!(processing(&world.compact(ALICE, &form(&block))), [block.hash()]);
    let next = world.mine(world.id(&block), 0, &[]);
    let over = world.mine(world.id(&next), 0, &[]);
    let out = world.has(ALICE, &over);
    let whole = [&next, &over].map(|block| Inventory::WitnessBlock(block.hash()));
    assert_eq!(asked(&out, ALICE), whole, "the one below is not connected yet");
}

#[test]
fn unknown_header_is_passed_over() {
    let (mut world, _, _) = with_block(0, 0);
    let stranger = world.chain.mine(world.chain.tip, 44, &[]);
    assert!(world.compact(ALICE, &form(&stranger)).is_empty());
}
