//! What peers ask us for.

use bitcoin::hashes::Hash;

use super::*;
use crate::blocks::recent::{MAX_RECENT, MAX_RECENT_BYTES, Recent};
use crate::blocks::serve::{
    MAX_COMPACT_DEPTH, MAX_HASHES, MAX_PARTS, MAX_PARTS_DEPTH, MAX_QUEUE, MAX_READS, MAX_READS_OF_PEER, MAX_WAITING,
    VALIDATION,
};
use crate::fixture::transaction;

fn getdata(world: &mut World, peer: PeerId, items: &[Inventory]) -> Vec<Outcome> {
    world.step(|state, now, chain| state.on_getdata(peer, items, now, chain))
}

fn getblocktxn(world: &mut World, peer: PeerId, block: BlockHash, indexes: &[u16]) -> Vec<Outcome> {
    let message = GetBlockTransactions { block, indexes: indexes.to_vec() };
    world.step(|state, now, chain| state.on_getblocktxn(peer, message, now, chain))
}

fn reads(out: &[Outcome]) -> Vec<(Ticket, BlockHash)> {
    out.iter()
        .filter_map(|outcome| match outcome {
            Outcome::Read { ticket, hash } => Some((*ticket, *hash)),
            _ => None,
        })
        .collect()
}

/// Answers a read from what the chain has.
fn read(world: &mut World, (ticket, hash): (Ticket, BlockHash)) -> Vec<Outcome> {
    let block = world.chain.blocks.get(&hash).cloned();
    world.step(|state, now, chain| state.block_read(ticket, block, now, chain))
}

fn at(world: &World, height: u32) -> BlockHash {
    world.chain.tree.hash(world.chain.tree.ancestor(world.chain.tip, height).unwrap())
}

fn not_found(out: &[Outcome], to: PeerId) -> Vec<Inventory> {
    sent(out, to)
        .into_iter()
        .flat_map(|message| match message {
            Message::NotFound(items) => items.clone(),
            _ => Vec::new(),
        })
        .collect()
}

fn serving(height: u32, peers: &[PeerId]) -> World {
    let mut world = World::new(height);
    world.meet(peers, Direction::Inbound);
    world
}

#[test]
fn block_is_read_and_sent() {
    let mut world = serving(20, &[ALICE]);
    let hash = at(&world, 3);
    let out = getdata(&mut world, ALICE, &[Inventory::WitnessBlock(hash)]);
    let [one] = reads(&out)[..] else { panic!("{out:?}") };
    assert_eq!(one.1, hash);
    let out = read(&mut world, one);
    assert!(matches!(sent(&out, ALICE)[..], [Message::Block(block)] if block.hash() == hash));
    assert!(read(&mut world, one).is_empty(), "a read is answered once");
}

#[test]
fn unknown_pruned_and_lost_blocks_are_not_found() {
    let mut world = serving(20, &[ALICE]);
    let stranger = Inventory::WitnessBlock(BlockHash::from_byte_array([1; 32]));
    let pruned = Inventory::Block(at(&world, 2));
    world.chain.pruned.insert(at(&world, 2));
    let lost = Inventory::WitnessBlock(at(&world, 3));
    let out = getdata(&mut world, ALICE, &[stranger, pruned, lost]);
    assert_eq!(not_found(&out, ALICE), [stranger, pruned]);
    let [(ticket, _)] = reads(&out)[..] else { panic!("{out:?}") };
    let out = world.step(|state, now, chain| state.block_read(ticket, None, now, chain));
    assert_eq!(not_found(&out, ALICE), [lost]);
}

#[test]
fn transactions_are_left_to_others() {
    let mut world = serving(2, &[ALICE]);
    let item = Inventory::Wtx(transaction(1, 100).wtxid());
    assert!(getdata(&mut world, ALICE, &[item]).is_empty());
    assert!(world.step(|state, now, chain| state.on_notfound(ALICE, &[item], now, chain)).is_empty());
}

#[test]
fn peers_have_their_turns() {
    let peers: Vec<_> = (1..=MAX_READS as u64 + 1).map(PeerId).collect();
    let mut world = serving(30, &peers);
    let items: Vec<_> = (1..20).map(|height| Inventory::WitnessBlock(at(&world, height))).collect();
    let mut pending = Vec::new();
    for peer in &peers {
        pending.extend(reads(&getdata(&mut world, *peer, &items)));
    }
    assert_eq!(pending.len(), MAX_READS);
    // The first ones took what there was; from now on everybody is served in turn.
    let mut served = std::collections::BTreeMap::new();
    for _ in 0..peers.len() * 4 {
        let out = read(&mut world, pending.remove(0));
        pending.extend(reads(&out));
        for peer in &peers {
            *served.entry(*peer).or_insert(0) += sent(&out, *peer).len();
        }
    }
    assert!(served.values().all(|count| (2..=6).contains(count)), "{served:?}");
}

#[test]
fn reads_for_one_peer_are_few() {
    let mut world = serving(30, &[ALICE, BOB]);
    let items: Vec<_> = (1..20).map(|height| Inventory::WitnessBlock(at(&world, height))).collect();
    assert_eq!(reads(&getdata(&mut world, ALICE, &items)).len(), MAX_READS_OF_PEER);
    assert_eq!(reads(&getdata(&mut world, BOB, &items)).len(), MAX_READS_OF_PEER);
}

#[test]
fn congested_peer_waits() {
    let mut world = serving(30, &[ALICE]);
    let _ = world.step(|state, now, chain| state.congested(ALICE, true, now, chain));
    let items = [Inventory::WitnessBlock(at(&world, 1))];
    assert!(reads(&getdata(&mut world, ALICE, &items)).is_empty());
    let out = world.step(|state, now, chain| state.congested(ALICE, false, now, chain));
    assert_eq!(reads(&out).len(), 1);
}

#[test]
fn queue_of_a_peer_is_bounded() {
    let mut world = serving(3, &[ALICE]);
    let _ = world.step(|state, now, chain| state.congested(ALICE, true, now, chain));
    let item = Inventory::WitnessBlock(at(&world, 1));
    assert!(not_found(&getdata(&mut world, ALICE, &vec![item; MAX_QUEUE]), ALICE).is_empty());
    // While it reads too slowly it is told nothing at all.
    assert!(not_found(&getdata(&mut world, ALICE, &[item]), ALICE).is_empty());
    let out = world.step(|state, now, chain| state.congested(ALICE, false, now, chain));
    assert_eq!(reads(&out).len(), MAX_READS_OF_PEER);
    assert_eq!(not_found(&getdata(&mut world, ALICE, &[item; MAX_READS_OF_PEER + 1]), ALICE), [item]);
}

#[test]
fn blocks_off_the_chain_are_served_only_if_they_were_on_it() {
    let mut world = serving(5, &[ALICE]);
    let parent = world.chain.tree.parent(world.chain.tip).unwrap();
    // Stored, and never connected: who has it can be told from who has not.
    let never = world.mine(parent, 3, &[]);
    let _ = world.chain.store(&never);
    let item = Inventory::WitnessBlock(never.hash());
    assert_eq!(not_found(&getdata(&mut world, ALICE, &[item]), ALICE), [item]);
    let old = world.chain.tip;
    let stale = world.chain.tree.hash(old);
    let over = world.mine(world.id(&never), 3, &[]);
    world.chain.tip = world.chain.store(&over);
    let change = TipChange { disconnected: vec![stale], connected: vec![(never.hash(), None), (over.hash(), None)] };
    let _ = world.step(|state, now, chain| state.tip(&change, now, chain));
    for hash in [stale, never.hash()] {
        let out = getdata(&mut world, ALICE, &[Inventory::WitnessBlock(hash)]);
        let [one] = reads(&out)[..] else { panic!("{out:?}") };
        let _ = read(&mut world, one);
    }
}

#[test]
fn whole_block_waits_for_its_validation_and_the_compact_form_does_not() {
    let mut world = serving(5, &[ALICE, BOB, CAROL]);
    let block = world.mine(world.chain.tip, 0, &[]);
    let _ = world.compact(CAROL, &compact::make(&block, 1, &BTreeSet::new()));
    let out = getdata(&mut world, ALICE, &[Inventory::WitnessBlock(block.hash())]);
    assert!(sent(&out, ALICE).is_empty(), "she would be right to take an invalid one for our fault");
    let out = getdata(&mut world, BOB, &[Inventory::CompactBlock(block.hash())]);
    assert!(matches!(sent(&out, BOB)[..], [Message::CompactBlock(_)]));
    let out = world.connect(&block);
    assert!(sent(&out, ALICE).iter().any(|message| matches!(message, Message::Block(_))));
}

#[test]
fn block_that_turns_out_to_be_invalid_or_takes_too_long_is_not_found() {
    for invalid in [true, false] {
        let mut world = serving(5, &[ALICE, CAROL]);
        let block = world.mine(world.chain.tip, 0, &[]);
        let _ = world.compact(CAROL, &compact::make(&block, 1, &BTreeSet::new()));
        let item = Inventory::WitnessBlock(block.hash());
        assert!(getdata(&mut world, ALICE, &[item]).is_empty());
        let out = if invalid {
            world.chain.tree.invalidate(&block.hash());
            world.processed(block.hash(), &Processed::Invalid { reason: "bad-cb-amount", mutated: false })
        } else {
            world.wait(VALIDATION)
        };
        assert_eq!(not_found(&out, ALICE), [item]);
    }
}

#[test]
fn block_is_found_though_many_newer_ones_are_validated_with_it() {
    let mut world = serving(5, &[ALICE, CAROL]);
    let mut parent = world.chain.tip;
    let blocks: Vec<_> = (0..MAX_RECENT + 2)
        .map(|_| {
            let block = world.mine(parent, 0, &[]);
            parent = world.id(&block);
            let _ = world.has(CAROL, &block);
            block
        })
        .collect();
    for block in &blocks {
        let _ = world.block(CAROL, block);
    }
    let first = blocks[0].hash();
    assert!(getdata(&mut world, ALICE, &[Inventory::WitnessBlock(first)]).is_empty());
    let out = world.connect(&blocks[0]);
    assert!(not_found(&out, ALICE).is_empty(), "{out:?}");
    assert!(reads(&out).iter().any(|(_, hash)| *hash == first), "{out:?}");
}

#[test]
fn those_that_wait_for_validation_are_bounded() {
    let mut world = serving(5, &[ALICE, CAROL]);
    let block = world.mine(world.chain.tip, 0, &[]);
    let _ = world.compact(CAROL, &compact::make(&block, 1, &BTreeSet::new()));
    let item = Inventory::WitnessBlock(block.hash());
    assert!(getdata(&mut world, ALICE, &vec![item; MAX_WAITING]).is_empty());
    assert_eq!(not_found(&getdata(&mut world, ALICE, &[item]), ALICE), [item]);
}

#[test]
fn deep_blocks_have_no_compact_form() {
    let mut world = serving(20, &[ALICE]);
    for (depth, compact) in [(MAX_COMPACT_DEPTH, true), (MAX_COMPACT_DEPTH + 1, false)] {
        let hash = at(&world, 20 - depth);
        let out = getdata(&mut world, ALICE, &[Inventory::CompactBlock(hash)]);
        let [one] = reads(&out)[..] else { panic!("{out:?}") };
        let out = read(&mut world, one);
        assert_eq!(matches!(sent(&out, ALICE)[..], [Message::CompactBlock(_)]), compact, "at depth {depth}");
        assert_eq!(matches!(sent(&out, ALICE)[..], [Message::Block(_)]), !compact, "at depth {depth}");
    }
}

#[test]
fn transactions_of_blocks_are_sent_singly_if_they_are_near_the_tip() {
    let mut world = serving(20, &[ALICE]);
    for (depth, singly) in [(MAX_PARTS_DEPTH, true), (MAX_PARTS_DEPTH + 1, false)] {
        let hash = at(&world, 20 - depth);
        let out = getblocktxn(&mut world, ALICE, hash, &[0]);
        let [one] = reads(&out)[..] else { panic!("{out:?}") };
        let out = read(&mut world, one);
        match sent(&out, ALICE)[..] {
            [Message::BlockTransactions(message)] => assert!(singly && message.transactions.len() == 1),
            [Message::Block(block)] => assert!(!singly && block.hash() == hash),
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn transactions_of_a_new_block_are_sent_without_a_read() {
    let mut world = serving(5, &[ALICE, CAROL]);
    let transactions = [transaction(1, 100), transaction(2, 100)];
    let block = world.mine(world.chain.tip, 0, &transactions);
    let _ = world.block(CAROL, &block);
    let out = getblocktxn(&mut world, ALICE, block.hash(), &[0, 2]);
    let [Message::BlockTransactions(message)] = sent(&out, ALICE)[..] else { panic!("{out:?}") };
    assert_eq!(message.transactions[1].wtxid(), transactions[1].wtxid());
    assert_eq!(message.transactions.len(), 2);
    let out = getblocktxn(&mut world, ALICE, block.hash(), &[0, 3]);
    assert_eq!(faults(&out), [(ALICE, Fault::GetBlockTransactions { hash: block.hash(), index: 3, length: 3 })]);
    let stranger = BlockHash::from_byte_array([1; 32]);
    assert!(getblocktxn(&mut world, ALICE, stranger, &[0]).is_empty());
}

#[test]
fn requests_for_single_transactions_are_bounded() {
    let mut world = serving(20, &[ALICE]);
    let _ = world.step(|state, now, chain| state.congested(ALICE, true, now, chain));
    let hash = at(&world, 15);
    for _ in 0..=MAX_PARTS {
        assert!(getblocktxn(&mut world, ALICE, hash, &[0]).is_empty());
    }
    let out = world.step(|state, now, chain| state.congested(ALICE, false, now, chain));
    let (mut pending, mut parts, mut whole) = (reads(&out), 0, 0);
    while !pending.is_empty() {
        let out = read(&mut world, pending.remove(0));
        for message in sent(&out, ALICE) {
            match message {
                Message::BlockTransactions(_) => parts += 1,
                Message::Block(_) => whole += 1,
                other => panic!("{other:?}"),
            }
        }
        pending.extend(reads(&out));
    }
    assert_eq!((parts, whole), (MAX_PARTS, 1));
}

#[test]
fn hashes_follow_the_locator_and_the_last_one_leads_on() {
    let length = u32::try_from(MAX_HASHES).unwrap() + 10;
    let mut world = serving(length, &[ALICE]);
    let locate = |world: &World, from: u32, stop| Locate { locator: vec![at(world, from)], stop };
    let ask = |world: &mut World, message: &Locate| {
        let out = world.step(|state, now, chain| state.on_getblocks(ALICE, message, now, chain));
        match sent(&out, ALICE)[..] {
            [Message::Inv(items)] => items.clone(),
            [] => Vec::new(),
            ref other => panic!("{other:?}"),
        }
    };
    let none = BlockHash::all_zeros();
    let message = locate(&world, 10, none);
    assert_eq!(ask(&mut world, &message).len(), MAX_HASHES);
    let message = locate(&world, 9, none);
    let items = ask(&mut world, &message);
    assert_eq!(items.len(), MAX_HASHES, "one more would be too many");
    assert_eq!(items[0], Inventory::Block(at(&world, 10)));
    let out = getdata(&mut world, ALICE, &items[MAX_HASHES - 1..]);
    let out = read(&mut world, reads(&out)[0]);
    let tip = world.chain.tree.hash(world.chain.tip);
    assert!(
        matches!(sent(&out, ALICE)[..], [Message::Block(_), Message::Inv(items)] if *items == [Inventory::Block(tip)])
    );
    let message = locate(&world, 9, at(&world, 12));
    assert_eq!(ask(&mut world, &message).len(), 2, "up to the one before the last wanted");
    let message = locate(&world, length, none);
    assert!(ask(&mut world, &message).is_empty());
}

#[test]
fn a_stored_block_that_was_damaged_is_sent_as_it_is_or_not_found() {
    let mut world = serving(20, &[ALICE]);
    let hash = at(&world, 18);
    let rubbish = Chain::rubbish(&world.chain.blocks[&hash]);
    let mut ask = |item| {
        let out = getdata(&mut world, ALICE, &[item]);
        let [(ticket, _)] = reads(&out)[..] else { panic!("{out:?}") };
        world.step(|state, now, chain| state.block_read(ticket, Some(Arc::clone(&rubbish)), now, chain))
    };
    let out = ask(Inventory::WitnessBlock(hash));
    assert!(matches!(sent(&out, ALICE)[..], [Message::Block(block)] if *block == rubbish));
    for item in [Inventory::Block(hash), Inventory::CompactBlock(hash)] {
        assert_eq!(not_found(&ask(item), ALICE), [item]);
    }
    let out = getblocktxn(&mut world, ALICE, hash, &[0]);
    let [(ticket, _)] = reads(&out)[..] else { panic!("{out:?}") };
    let out = world.step(|state, now, chain| state.block_read(ticket, Some(rubbish), now, chain));
    assert_eq!((not_found(&out, ALICE), faults(&out)), (vec![Inventory::WitnessBlock(hash)], vec![]));
}

#[test]
fn peer_without_witnesses_gets_the_block_without_them() {
    let mut world = serving(3, &[ALICE]);
    let mut spend = transaction(1, 100).decoded().clone();
    spend.input[0].witness.push([1, 2, 3]);
    let spend = Arc::new(Transaction::parse(bitcoin::consensus::serialize(&spend)).unwrap());
    let block = world.chain.mine(world.chain.tip, 0, &[spend]);
    world.chain.tip = world.chain.store(&block);
    let out = getdata(&mut world, ALICE, &[Inventory::Block(block.hash())]);
    let out = read(&mut world, reads(&out)[0]);
    let [Message::Block(sent)] = sent(&out, ALICE)[..] else { panic!("{out:?}") };
    assert_eq!(sent.hash(), block.hash());
    assert_eq!(sent.bytes().len(), block.base_size());
    assert_eq!(sent.transactions()[1].txid(), block.transactions()[1].txid());
}

#[test]
fn repeated_requests_for_a_new_block_leave_the_driver_its_turn() {
    let mut world = serving(3, &[ALICE]);
    let block = world.mine(world.chain.tip, 0, &[]);
    let _ = world.connect(&block);
    let items = vec![Inventory::WitnessBlock(block.hash()); 1000];
    let out = getdata(&mut world, ALICE, &items);
    assert!(sent(&out, ALICE).len() < 20, "{}", sent(&out, ALICE).len());
    let _ = world.step(|state, now, chain| state.congested(ALICE, true, now, chain));
    assert!(world.wait(Duration::from_secs(10)).is_empty());
    let mut out = world.step(|state, now, chain| state.congested(ALICE, false, now, chain));
    out.extend(world.wait(Duration::from_secs(10)));
    assert!(sent(&out, ALICE).len() > 980);
}

#[test]
fn newest_blocks_are_kept_up_to_the_bounds() {
    let mut world = World::new(0);
    let mut recent = Recent::default();
    let mut push = |world: &mut World, size: usize| {
        let block = world.mine(world.chain.tip, world.chain.tree.len() as u64, &[transaction(1, size)]);
        recent.push(world.id(&block), &block, BTreeSet::new());
        recent.check();
        let ids: Vec<_> = world.chain.tree.iter().filter(|id| recent.contains(*id)).collect();
        ids.len()
    };
    for count in 1..=MAX_RECENT {
        assert_eq!(push(&mut world, 100), count);
    }
    assert_eq!(push(&mut world, 100), MAX_RECENT);
    assert_eq!(push(&mut world, MAX_RECENT_BYTES), 1, "one is kept, however large");
    assert_eq!(push(&mut world, 100), 1);
    assert_eq!(push(&mut world, 100), 2);
}
