//! Forks of any depth, wrong branches, orders of arrival, crashes between commits.

use yap_chain::bitcoin::Block;
use yap_chain::bitcoin::consensus::serialize;
use yap_node::chainstate::{Accepted, Error, Event};
use yap_node::prepare::Prepared;
use yap_sim::builder::Builder;
use yap_sim::mutation::Mutation;
use yap_sim::random::Random;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::{Ledger, now};

fn give_all<'a>(ledger: &mut Ledger, blocks: impl IntoIterator<Item = &'a Block>) {
    for block in blocks {
        assert_eq!(ledger.submit(&serialize(block)), Verdict::Accepted, "{}", block.block_hash());
    }
}

/// Hands blocks in without waiting for their scripts.
fn pour<'a>(ledger: &mut Ledger, blocks: impl IntoIterator<Item = &'a Block>) -> Vec<Event> {
    let spec = ledger.chainstate().spec().clone();
    for block in blocks {
        let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
        let accepted = ledger.chainstate().process(Prepared::new(block, &spec), now()).unwrap();
        assert!(matches!(accepted, Accepted::Stored), "{accepted:?}");
    }
    ledger.chainstate().settle().unwrap();
    std::iter::from_fn(|| ledger.chainstate().poll()).collect()
}

/// A branch with coins of every kind, and another that leaves it at `fork` and is longer.
fn branches(seed: u64, fork: u32) -> (Builder, Builder) {
    let mut long = Builder::regtest(seed);
    long.prepare(2);
    (0..10).for_each(|_| drop(long.random_block()));
    let mut longer = long.fork_at(fork);
    longer.prepare(2);
    while longer.height() < long.height() + 5 {
        longer.random_block();
    }
    (long, longer)
}

fn above(builder: &Builder, height: u32) -> Vec<Block> {
    builder.blocks().skip(height as usize).cloned().collect()
}

#[test]
fn a_reorganisation_of_any_depth_ends_in_the_set_of_the_branch_alone() {
    for fork in [0, 60, 118] {
        let (mut long, longer) = branches(u64::from(fork), fork);
        let mut ledger = Ledger::regtest();
        give_all(&mut ledger, &above(&long, 0));
        let before = ledger.totals();
        give_all(&mut ledger, &above(&longer, fork));
        assert_eq!(ledger.tip().0, longer.tip());

        let mut alone = Ledger::regtest();
        give_all(&mut alone, &above(&longer, 0));
        assert_eq!(ledger.totals(), alone.totals(), "fork at {fork}");

        // And back, on top of what the restart found.
        let mut longest = long.fork_at(long.height());
        let first = longest.height();
        let more = longer.height() + 1 - first;
        longest.mine_empty(more);
        give_all(ledger.restart(), &above(&longest, first));
        assert_eq!(ledger.tip().0, longest.tip());
        assert_eq!(ledger.totals().transactions, before.transactions + u64::from(more));
    }
}

#[test]
fn of_two_branches_with_equal_work_the_first_stays_also_after_a_restart() {
    let mut first = Builder::regtest(5);
    first.mine_empty(3);
    let mut second = first.fork_at(2);
    second.mine_empty(1);
    assert_ne!(first.tip(), second.tip());
    let mut ledger = Ledger::regtest();
    give_all(&mut ledger, &above(&first, 0));
    give_all(&mut ledger, &above(&second, 2));
    assert_eq!(ledger.tip().0, first.tip());
    assert_eq!(ledger.restart().tip().0, first.tip());
    second.mine_empty(1);
    give_all(&mut ledger, &above(&second, 3));
    assert_eq!(ledger.tip().0, second.tip());
}

#[test]
fn a_wrong_script_deep_in_a_better_branch_gives_the_old_tip_back() {
    let (mut trunk, _) = branches(7, 100);
    let fork = trunk.height() - 3;
    let mut wrong = trunk.fork_at(fork);
    wrong.mine_empty(1);
    let bad = Mutation::all()
        .into_iter()
        .filter(|mutation| matches!(mutation, Mutation::Script(_)))
        .find_map(|mutation| mutation.apply(&mut wrong))
        .unwrap();
    let bad = bad.block.unwrap();
    wrong.adopt(bad.clone());
    wrong.mine_empty(8);

    let mut ledger = Ledger::regtest();
    give_all(&mut ledger, &above(&trunk, 0));
    let (tip, totals) = (ledger.tip(), ledger.totals());
    // Poured, so that blocks above the wrong one are connected before its script is found to be wrong.
    let events = pour_until_refused(&mut ledger, &above(&wrong, fork));
    let invalid = events.iter().find_map(|event| match event {
        Event::Invalid { hash, why, .. } => Some((*hash, why.reason().into_owned())),
        _ => None,
    });
    assert_eq!(invalid, Some((bad.block_hash(), "block-script-verify-flag-failed".to_owned())));
    assert_eq!(ledger.tip(), tip);
    assert_eq!(ledger.totals(), totals);
    // It is remembered.
    assert_eq!(ledger.restart().submit(&serialize(&bad)).rule(), Some("duplicate-invalid"));
    trunk.mine_empty(1);
    give_all(&mut ledger, &above(&trunk, tip.1));
}

/// As [`pour`], for blocks of which some will be refused.
fn pour_until_refused(ledger: &mut Ledger, blocks: &[Block]) -> Vec<Event> {
    let spec = ledger.chainstate().spec().clone();
    for block in blocks {
        let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
        // Once the wrong script is found, those after it are refused for their parent.
        let _ = ledger.chainstate().process(Prepared::new(block, &spec), now()).unwrap();
    }
    ledger.chainstate().settle().unwrap();
    std::iter::from_fn(|| ledger.chainstate().poll()).collect()
}

#[test]
fn with_headers_known_blocks_may_come_in_any_order() {
    let (long, longer) = branches(9, 110);
    let mut blocks = above(&long, 0);
    blocks.extend(above(&longer, 110));
    for seed in 0..3 {
        let mut ledger = Ledger::regtest();
        for block in &blocks {
            ledger.chainstate().accept_header(&block.header, now()).unwrap();
        }
        let mut shuffled = blocks.clone();
        Random::new(seed).shuffle(&mut shuffled);
        pour(&mut ledger, &shuffled);
        assert_eq!(ledger.tip().0, longer.tip(), "seed {seed}");

        let mut alone = Ledger::regtest();
        give_all(&mut alone, &above(&longer, 0));
        assert_eq!(ledger.totals(), alone.totals(), "seed {seed}");
    }
}

#[test]
fn a_crash_costs_what_was_not_committed_and_nothing_else() {
    let (long, longer) = branches(11, 112);
    let (first, rest) = (above(&long, 0), above(&longer, 112));
    let mut ledger = Ledger::regtest();
    give_all(&mut ledger, &first);
    let committed = ledger.totals();
    // A reorganisation under way is lost whole.
    give_all(&mut ledger, &rest);
    assert_eq!(ledger.tip().0, longer.tip());
    ledger.crash();
    assert_eq!(ledger.tip().0, long.tip());
    assert_eq!(ledger.totals(), committed);
    give_all(&mut ledger, &rest);
    assert_eq!(ledger.tip().0, longer.tip());
}

/// Hands blocks in until the ledger can't go on.
fn give_until_error(ledger: &mut Ledger, blocks: &[Block]) -> Option<Error> {
    let spec = ledger.chainstate().spec().clone();
    blocks.iter().find_map(|block| {
        let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
        let chainstate = ledger.chainstate();
        chainstate.process(Prepared::new(block, &spec), now()).and_then(|_| chainstate.settle()).err()
    })
}

#[test]
fn a_witness_that_the_disk_changed_does_not_make_its_block_invalid() {
    let mut trunk = Builder::regtest(13);
    trunk.prepare(4);
    let fork = trunk.height();
    let mut side = trunk.fork_at(fork);
    trunk.mine_empty(6);
    (0..6).for_each(|_| drop(side.random_block()));
    let stored = above(&side, fork);
    side.mine_empty(1);
    let rest = above(&side, fork + 6);
    let mut ledger = Ledger::regtest();
    give_all(&mut ledger, &above(&trunk, 0));
    // Not yet connected.
    give_all(&mut ledger, &stored);
    assert_eq!(ledger.tip().0, trunk.tip());
    let (block, witness) = stored
        .iter()
        .find_map(|block| {
            let inputs = block.txdata.iter().skip(1).flat_map(|transaction| &transaction.input);
            let items = inputs.flat_map(|input| input.witness.iter());
            Some((block, items.into_iter().find(|item| item.len() >= 64)?.to_vec()))
        })
        .unwrap();
    let mut changed = witness.clone();
    changed[20] ^= 1;
    ledger.overwrite(&witness, &changed);

    let error = give_until_error(&mut ledger, &rest);
    assert!(matches!(error, Some(Error::OtherBlock { hash }) if hash == block.block_hash()), "{error:?}");
    assert!(std::iter::from_fn(|| ledger.chainstate().poll()).all(|event| !matches!(event, Event::Invalid { .. })));
    // With the block as it was, the branch is as good as it was.
    ledger.crash();
    ledger.overwrite(&changed, &witness);
    give_all(&mut ledger, &rest);
    assert_eq!(ledger.tip().0, side.tip());
}

#[test]
fn of_branches_with_equal_work_the_one_that_the_user_prefers_wins_until_there_is_a_better_one() {
    let mut first = Builder::regtest(8);
    first.mine_empty(3);
    let mut second = first.fork_at(1);
    second.mine_empty(2);
    let mut third = first.fork_at(2);
    third.mine_empty(1);
    let mut ledger = Ledger::regtest();
    for (branch, fork) in [(&first, 0), (&second, 1), (&third, 2)] {
        give_all(&mut ledger, &above(branch, fork));
    }
    let prefer = |ledger: &mut Ledger, hash| {
        let chainstate = ledger.chainstate();
        let id = chainstate.tree().get(&hash).unwrap();
        chainstate.prefer(id).unwrap();
        chainstate.settle().unwrap();
        ledger.tip().0
    };
    assert_eq!(ledger.tip().0, first.tip());
    for preferred in [&second, &third, &first, &first, &second] {
        assert_eq!(prefer(&mut ledger, preferred.tip()), preferred.tip());
    }
    // One that has less work does not win.
    assert_eq!(prefer(&mut ledger, first.block(2).unwrap().block_hash()), second.tip());
    // Nor one that nobody has, however much its header weighs.
    let mut unseen = first.fork_at(3);
    unseen.mine_empty(1);
    for block in &above(&unseen, 3) {
        ledger.chainstate().accept_header(&block.header, now()).unwrap();
    }
    assert_eq!(prefer(&mut ledger, unseen.tip()), second.tip());
    give_all(&mut ledger, &above(&unseen, 3));
    assert_eq!(ledger.tip().0, unseen.tip(), "more work wins as ever");
}
