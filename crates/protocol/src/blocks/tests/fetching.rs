//! What is asked of whom.

use super::*;
use crate::blocks::download::{MAX_PROCESSING, MAX_REFUSED, MAX_SIDE, REFUSAL, WINDOW};
use crate::penalty::Penalty;

/// A node at the genesis block that knows the headers of `length` blocks, and those.
fn behind(length: usize) -> (World, Vec<Arc<Block>>) {
    let mut world = World::new(0);
    let mut parent = world.chain.tip;
    let blocks: Vec<_> = (0..length)
        .map(|_| {
            let block = world.mine(parent, 0, &[]);
            parent = world.id(&block);
            block
        })
        .collect();
    (world, blocks)
}

fn hashes(items: &[Inventory]) -> Vec<BlockHash> {
    items
        .iter()
        .map(|item| match item {
            Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => *hash,
            _ => panic!("asked for {item:?}"),
        })
        .collect()
}

#[test]
fn peer_of_unknown_speed_is_asked_for_little() {
    let (mut world, blocks) = behind(100);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let out = world.has(ALICE, blocks.last().unwrap());
    assert_eq!(hashes(&asked(&out, ALICE)), [blocks[0].hash(), blocks[1].hash()]);
    let out = world.has(BOB, &blocks[2]);
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[2].hash()], "only what he has");
}

#[test]
fn first_answer_opens_the_queue() {
    let (mut world, blocks) = behind(500);
    world.meet(&[ALICE], Direction::Outbound);
    let _ = world.has(ALICE, blocks.last().unwrap());
    world.now = world.now.after(Duration::from_millis(100));
    let out = world.block(ALICE, &blocks[0]);
    assert_eq!(processing(&out), [blocks[0].hash()]);
    assert!(asked(&out, ALICE).len() >= 8, "{}", asked(&out, ALICE).len());
    assert!(matches!(&out[..], [Outcome::Process(_), ..]), "what came is processed first");
}

#[test]
fn late_work_is_given_to_another_and_both_answers_are_fine() {
    let (mut world, blocks) = behind(2);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[1]);
    let out = world.has(BOB, &blocks[1]);
    assert!(asked(&out, BOB).is_empty(), "everything is asked of Alice");
    let out = world.wait(Duration::from_secs(5));
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[0].hash(), blocks[1].hash()]);
    assert!(faults(&out).is_empty());
    assert_eq!(processing(&world.block(BOB, &blocks[0])), [blocks[0].hash()]);
    let out = world.block(ALICE, &blocks[0]);
    assert!(processing(&out).is_empty() && faults(&out).is_empty());
    let out = world.block(ALICE, &blocks[1]);
    assert_eq!(processing(&out), [blocks[1].hash()], "she was only slow");
    assert!(faults(&world.block(BOB, &blocks[1])).is_empty());
}

#[test]
fn what_a_lost_peer_owed_is_asked_of_another() {
    let (mut world, blocks) = behind(2);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[1]);
    let _ = world.has(BOB, &blocks[1]);
    let out = world.step(|state, now, chain| state.disconnected(ALICE, now, chain));
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[0].hash(), blocks[1].hash()]);
}

#[test]
fn refused_block_is_asked_of_another_and_only_later_of_the_same() {
    let (mut world, blocks) = behind(1);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[0]);
    let _ = world.has(BOB, &blocks[0]);
    let items = [Inventory::WitnessBlock(blocks[0].hash())];
    let out = world.step(|state, now, chain| state.on_notfound(ALICE, &items, now, chain));
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[0].hash()]);
    let out = world.step(|state, now, chain| state.on_notfound(BOB, &items, now, chain));
    assert!(asked(&out, ALICE).is_empty() && asked(&out, BOB).is_empty());
    assert!(faults(&out).is_empty());
    let out = world.wait(REFUSAL - Duration::from_millis(1));
    assert!(asked(&out, ALICE).is_empty() && asked(&out, BOB).is_empty());
    // They may have spoken of a block that they had yet to validate.
    let out = world.wait(Duration::from_millis(1));
    let again = [asked(&out, ALICE), asked(&out, BOB)].concat();
    assert_eq!(hashes(&again), [blocks[0].hash()], "of one of them");
}

#[test]
fn silent_outbound_peer_is_parted_from_and_an_inbound_one_is_left_alone() {
    for (direction, parts) in [(Direction::Outbound, true), (Direction::Inbound, false)] {
        let (mut world, blocks) = behind(50);
        world.meet(&[ALICE], direction);
        let _ = world.has(ALICE, blocks.last().unwrap());
        let out = world.wait(Duration::from_secs(29));
        assert!(faults(&out).is_empty(), "a slow line is given time");
        let out = world.wait(Duration::from_secs(2));
        if parts {
            assert_eq!(faults(&out), [(ALICE, Fault::Stalled { owed: 2 })]);
            assert_eq!(faults(&out)[0].1.penalty(), Penalty::Disconnect);
        } else {
            assert!(faults(&out).is_empty());
        }
        // What she owes may still come.
        let out = world.block(ALICE, &blocks[0]);
        assert!(faults(&out).is_empty());
        assert_eq!(processing(&out), [blocks[0].hash()]);
    }
}

#[test]
fn block_of_an_unknown_header_is_a_fault() {
    let (mut world, _) = behind(0);
    world.meet(&[ALICE], Direction::Outbound);
    let stranger = world.chain.mine(world.chain.tip, 9, &[]);
    let out = world.block(ALICE, &stranger);
    assert_eq!(faults(&out), [(ALICE, Fault::Unrequested { hash: stranger.hash() })]);
    assert!(processing(&out).is_empty());
}

#[test]
fn useful_block_is_taken_unasked_and_a_useless_one_is_not() {
    let (mut world, blocks) = behind(1);
    world.meet(&[ALICE], Direction::Outbound);
    let out = world.block(ALICE, &blocks[0]);
    assert_eq!(processing(&out), [blocks[0].hash()]);
    assert!(faults(&out).is_empty(), "old miners push");
    let _ = world.connect(&blocks[0]);
    let out = world.block(ALICE, &blocks[0]);
    assert_eq!(faults(&out), [(ALICE, Fault::Useless { hash: blocks[0].hash() })]);
}

#[test]
fn invalid_block_is_the_senders_fault_and_is_not_asked_for_again() {
    let (mut world, blocks) = behind(1);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[0]);
    let _ = world.has(BOB, &blocks[0]);
    let _ = world.block(ALICE, &blocks[0]);
    world.chain.tree.invalidate(&blocks[0].hash());
    let outcome = Processed::Invalid { reason: "bad-cb-amount", mutated: false };
    let out = world.processed(blocks[0].hash(), &outcome);
    assert_eq!(faults(&out), [(ALICE, Fault::Invalid { hash: blocks[0].hash(), reason: "bad-cb-amount" })]);
    assert_eq!(faults(&out)[0].1.penalty(), Penalty::Ban);
    assert!(asked(&out, BOB).is_empty());
}

#[test]
fn block_that_leaves_an_irreversible_one_is_nobodys_fault_and_is_not_asked_for_again() {
    let (mut world, blocks) = behind(2);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[1]);
    let _ = world.has(BOB, &blocks[1]);
    let _ = world.block(ALICE, &blocks[0]);
    // While it is looked at, another branch becomes irreversible.
    let other = world.chain.mine(world.chain.tip, 99, &[]);
    let other = world.chain.store(&other);
    assert!(world.chain.tree.fix(other));
    let outcome = Processed::Invalid { reason: "bad-fork-irreversible", mutated: false };
    let mut out = world.processed(blocks[0].hash(), &outcome);
    assert_eq!(faults(&out), []);
    // What was on its way comes too late to be wanted.
    out.extend(world.block(ALICE, &blocks[1]));
    assert!(processing(&out).is_empty());
    out.extend(world.wait(Duration::from_secs(60)));
    assert!(hashes(&asked(&out, BOB)).is_empty() && hashes(&asked(&out, ALICE)).is_empty());
    assert_eq!(faults(&out), []);
}

#[test]
fn mutated_block_is_the_senders_fault_and_is_asked_of_another() {
    let (mut world, blocks) = behind(100);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[99]);
    let _ = world.has(BOB, &blocks[99]);
    let _ = world.block(ALICE, &blocks[0]);
    let outcome = Processed::Invalid { reason: "bad-txnmrklroot", mutated: true };
    let out = world.processed(blocks[0].hash(), &outcome);
    assert_eq!(faults(&out), [(ALICE, Fault::Mutated { hash: blocks[0].hash() })]);
    let mut out = world.block(BOB, &blocks[2]);
    out.extend(world.wait(Duration::from_secs(1)));
    assert!(hashes(&asked(&out, BOB)).contains(&blocks[0].hash()));
    assert!(!hashes(&asked(&out, ALICE)).contains(&blocks[0].hash()));
}

#[test]
fn near_the_tip_contents_are_looked_at_before_the_block_is_sent_on() {
    for rubbish in [false, true] {
        let mut world = World::new(3);
        world.meet(&[ALICE, BOB], Direction::Outbound);
        let block = world.mine(world.chain.tip, 1, &[]);
        let _ = world.has(ALICE, &block);
        let _ = world.has(BOB, &block);
        let other = world.chain.mine(world.chain.tip, 2, &[]);
        let mutated = Arc::new(Block::assemble(*block.header(), other.transactions().to_vec()));
        let out = world.block(ALICE, &if rubbish { Chain::rubbish(&block) } else { mutated });
        assert_eq!(faults(&out), [(ALICE, Fault::Mutated { hash: block.hash() })]);
        assert!(processing(&out).is_empty());
        assert_eq!(hashes(&asked(&out, BOB)), [block.hash()]);
    }
}

#[test]
fn while_catching_up_blocks_go_out_unread() {
    let (mut world, blocks) = behind(100);
    world.meet(&[ALICE], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[99]);
    let unread = Arc::new(Block::unread(Arc::new(blocks[0].bytes().to_vec())).unwrap());
    let out = world.block(ALICE, &unread);
    assert_eq!(processing(&out), [blocks[0].hash()]);
    // Each transaction that was read would share the bytes.
    assert_eq!(Arc::strong_count(unread.bytes()), 1);
    let out = world.block(ALICE, &Chain::rubbish(&blocks[1]));
    assert_eq!((processing(&out), faults(&out)), (vec![blocks[1].hash()], vec![]), "it is found when it is processed");
}

#[test]
fn failed_block_is_asked_for_again_after_a_pause() {
    let (mut world, blocks) = behind(1);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[0]);
    let _ = world.has(BOB, &blocks[0]);
    let _ = world.block(ALICE, &blocks[0]);
    let out = world.processed(blocks[0].hash(), &Processed::Failed);
    assert!(faults(&out).is_empty() && asked(&out, ALICE).is_empty() && asked(&out, BOB).is_empty());
    let out = world.wait(Duration::from_secs(9));
    assert!(asked(&out, ALICE).is_empty() && asked(&out, BOB).is_empty());
    let out = world.wait(Duration::from_millis(1500));
    assert_eq!(asked(&out, ALICE).len() + asked(&out, BOB).len(), 1);
}

#[test]
fn window_ends_where_it_says() {
    let (mut world, blocks) = behind(WINDOW + 50);
    let index: std::collections::BTreeMap<_, _> = (0..).zip(&blocks).map(|(at, block)| (block.hash(), at)).collect();
    world.meet(&[ALICE, BOB], Direction::Inbound);
    // Alice never sends the first two. Bob sends everything else that he is asked for.
    let _ = world.has(ALICE, blocks.last().unwrap());
    let mut queue: Vec<usize> = Vec::new();
    let mut most = 0;
    let mut out = world.has(BOB, blocks.last().unwrap());
    for _ in 0..WINDOW * 3 {
        queue.extend(hashes(&asked(&out, BOB)).iter().map(|hash| index[hash]));
        for hash in processing(&out) {
            let _ = world.chain.blocks.insert(hash, Arc::clone(&blocks[index[&hash]]));
            let _ = world.processed(hash, &Processed::Stored);
        }
        most = queue.iter().copied().max().unwrap_or(0).max(most);
        queue.retain(|at| *at > 1);
        let Some(next) = queue.pop() else { break };
        world.now = world.now.after(Duration::from_micros(10));
        out = world.block(BOB, &blocks[next]);
    }
    assert_eq!(most, WINDOW - 1, "the lowest missing one is at 0");
}

#[test]
fn nothing_is_asked_while_too_much_is_processed() {
    let (mut world, blocks) = behind(600);
    let index: std::collections::BTreeMap<_, _> = (0..).zip(&blocks).map(|(at, block)| (block.hash(), at)).collect();
    world.meet(&[ALICE], Direction::Outbound);
    let mut queue: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut out = world.has(ALICE, blocks.last().unwrap());
    let mut came = Vec::new();
    for _ in 0..600 {
        let more = hashes(&asked(&out, ALICE));
        assert!(more.is_empty() || came.len() < MAX_PROCESSING, "{} are processed", came.len());
        queue.extend(more.iter().map(|hash| index[hash]));
        let Some(next) = queue.pop_front() else { break };
        world.now = world.now.after(Duration::from_millis(2));
        out = world.block(ALICE, &blocks[next]);
        came.push(next);
    }
    assert!(queue.is_empty() && came.len() >= MAX_PROCESSING && came.len() < 600, "{} came", came.len());
    let _ = world.chain.blocks.insert(blocks[0].hash(), Arc::clone(&blocks[0]));
    let mut out = Vec::new();
    for at in &came[..came.len() - MAX_PROCESSING + 1] {
        out = world.processed(blocks[*at].hash(), &Processed::Stored);
    }
    assert!(!asked(&out, ALICE).is_empty(), "it goes on as soon as there is room");
}

#[test]
fn peers_of_recent_blocks_are_asked_for_those_alone() {
    let (mut world, blocks) = behind(400);
    let recent = Facts { serves: Serves::Recent, ..facts(Direction::Outbound) };
    let nothing = Facts { serves: Serves::Nothing, ..facts(Direction::Outbound) };
    let _ = world.step(|state, now, chain| state.ready(ALICE, recent, now, chain));
    let _ = world.step(|state, now, chain| state.ready(BOB, nothing, now, chain));
    let out = world.has(ALICE, &blocks[399]);
    assert_eq!(hashes(&asked(&out, ALICE)), [blocks[114].hash(), blocks[115].hash()]);
    let out = world.has(BOB, &blocks[399]);
    assert!(asked(&out, BOB).is_empty());
}

#[test]
fn better_branch_replaces_the_one_that_is_fetched() {
    let (mut world, blocks) = behind(30);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let _ = world.has(ALICE, &blocks[29]);
    let mut parent = world.chain.tree.genesis();
    let better: Vec<_> = (0..40)
        .map(|_| {
            let block = world.mine(parent, 5, &[]);
            parent = world.id(&block);
            block
        })
        .collect();
    let out = world.has(BOB, &better[39]);
    assert_eq!(hashes(&asked(&out, BOB)), [better[0].hash(), better[1].hash()]);
    let out = world.block(ALICE, &blocks[0]);
    assert!(faults(&out).is_empty(), "it was asked for");
    assert!(asked(&out, ALICE).is_empty(), "she does not have the better branch");
}

#[test]
fn withheld_block_of_more_work_does_not_keep_us_from_the_others() {
    let mut world = World::new(5);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let one = world.mine(world.chain.tip, 1, &[]);
    let withheld = world.mine(world.id(&one), 1, &[]);
    let _ = world.has(ALICE, &withheld);
    let honest = world.mine(world.chain.tip, 2, &[]);
    let out = world.has(BOB, &honest);
    assert_eq!(hashes(&asked(&out, BOB)), [honest.hash()], "it would be the tip, now");
    assert_eq!(processing(&world.block(BOB, &honest)), [honest.hash()]);
}

#[test]
fn distance_is_told_when_it_opens_and_when_it_closes() {
    let (mut world, blocks) = behind(30);
    assert!(world.state.is_catching_up(), "nothing is known yet");
    world.meet(&[ALICE], Direction::Outbound);
    let out = world.has(ALICE, &blocks[29]);
    assert!(out.iter().any(|outcome| matches!(outcome, Outcome::Behind(30))));
    assert!(world.state.is_catching_up());
    let mut out = Vec::new();
    for block in &blocks {
        let _ = world.block(ALICE, block);
        out.extend(world.connect(block));
    }
    assert_eq!(out.iter().filter(|outcome| matches!(outcome, Outcome::CaughtUp)).count(), 1);
    assert!(!world.state.is_catching_up());
}

#[test]
fn old_tip_is_not_caught_up() {
    let age = Duration::from_secs(24 * 3600);
    let mut world = World::with(Chain::of(3), Config { max_tip_age: Some(age), ..Config::default() });
    let tip = Timestamp(u64::from(world.chain.tree.time(world.chain.tip)));
    world.meet(&[ALICE], Direction::Outbound);
    assert!(world.state.is_catching_up(), "the clock is not known");
    world.state.clock(tip.after(age + Duration::from_secs(60)), world.now);
    assert!(world.wait(Duration::from_secs(1)).is_empty());
    assert!(world.state.is_catching_up());
    world.state.clock(tip.after(age - Duration::from_secs(60)), world.now);
    let out = world.wait(Duration::from_secs(1));
    assert!(out.iter().any(|outcome| matches!(outcome, Outcome::CaughtUp)));
    assert!(!world.state.is_catching_up());
}

#[test]
fn peer_that_refuses_too_much_is_asked_for_nothing() {
    let (mut world, blocks) = behind(400);
    world.meet(&[ALICE], Direction::Outbound);
    let mut items = asked(&world.has(ALICE, &blocks[399]), ALICE);
    let mut refused = 0;
    while !items.is_empty() {
        refused += items.len();
        assert!(refused <= MAX_REFUSED, "{refused} were refused");
        let out = world.step(|state, now, chain| state.on_notfound(ALICE, &items, now, chain));
        assert!(faults(&out).is_empty());
        items = asked(&out, ALICE);
    }
    assert_eq!(refused, MAX_REFUSED);
}

#[test]
fn blocks_of_side_branches_are_bounded() {
    let mut world = World::new(5);
    world.meet(&[ALICE], Direction::Inbound);
    let one = world.mine(world.chain.tip, 1, &[]);
    let two = world.mine(world.id(&one), 1, &[]);
    let _ = world.has(ALICE, &two);
    let mut count = 0;
    for number in 10..MAX_SIDE as u64 + 12 {
        world.meet(&[PeerId(number)], Direction::Inbound);
        let sibling = world.mine(world.chain.tip, number, &[]);
        count += asked(&world.has(PeerId(number), &sibling), PeerId(number)).len();
    }
    assert_eq!(count, MAX_SIDE);
}

#[test]
fn own_block_is_not_fetched() {
    let mut world = World::new(5);
    world.meet(&[ALICE, BOB], Direction::Outbound);
    let block = world.mine(world.chain.tip, 1, &[]);
    let _ = world.has(ALICE, &block);
    let _ = world.connect(&block);
    let _ = world.has(BOB, &block);
    let out = world.wait(Duration::from_secs(20));
    assert!(asked(&out, BOB).is_empty());
}

#[test]
fn block_that_the_processed_ones_wait_for_is_always_asked_for() {
    let (mut world, blocks) = behind(900);
    let index: std::collections::BTreeMap<_, _> = (0..).zip(&blocks).map(|(at, block)| (block.hash(), at)).collect();
    world.meet(&[ALICE, BOB], Direction::Inbound);
    // Alice owes the first two. Bob sends all others, and nothing of them is processed.
    let _ = world.has(ALICE, blocks.last().unwrap());
    let mut queue: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut out = world.has(BOB, blocks.last().unwrap());
    let mut came = 0;
    while came < 900 {
        queue.extend(hashes(&asked(&out, BOB)).iter().map(|hash| index[hash]).filter(|at| *at > 1));
        let Some(next) = queue.pop_front() else { break };
        world.now = world.now.after(Duration::from_micros(100));
        out = world.block(BOB, &blocks[next]);
        came += 1;
    }
    assert!((MAX_PROCESSING..900).contains(&came), "{came} came");
    let out = world.wait(Duration::from_secs(5));
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[0].hash()]);
    assert!(asked(&world.block(BOB, &blocks[0]), BOB).is_empty());
    let _ = world.chain.blocks.insert(blocks[0].hash(), Arc::clone(&blocks[0]));
    let out = world.processed(blocks[0].hash(), &Processed::Stored);
    assert_eq!(hashes(&asked(&out, BOB)), [blocks[1].hash()]);
}
