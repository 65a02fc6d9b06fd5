//! What the builder promises without anybody's judgement: determinism, forks that share and forget, framing, orders.

use std::collections::BTreeSet;

use bitcoin::consensus::encode;
use yap_sim::arrival::Tree;
use yap_sim::builder::Parameters;
use yap_sim::lock::Kind;
use yap_sim::{Builder, Mutation, Random, bench, blk};

/// A chain of prepared coins and random blocks.
fn chain(seed: u64) -> Builder {
    let mut builder = Builder::regtest(seed);
    builder.prepare(12);
    for _ in 0..20 {
        builder.random_block();
    }
    builder
}

fn bytes(builder: &Builder) -> Vec<u8> {
    blk::file(builder.blocks(), builder.parameters().magic)
}

#[test]
fn same_seed_gives_the_same_bytes() {
    assert_eq!(bytes(&chain(7)), bytes(&chain(7)));
    assert_ne!(bytes(&chain(7)), bytes(&chain(8)));
}

#[test]
fn same_seed_gives_the_same_mutations() {
    let (mut one, mut two) = (chain(9), chain(9));
    for mutation in Mutation::all() {
        let raw = |builder: &mut Builder| mutation.apply(builder).map(|case| case.raw);
        assert_eq!(raw(&mut one), raw(&mut two), "{mutation:?}");
    }
}

#[test]
fn mutation_leaves_the_branch_as_it_is() {
    let mut builder = chain(10);
    let (tip, coins) = (builder.tip(), builder.coins().clone());
    for mutation in Mutation::all() {
        let _ = mutation.apply(&mut builder);
    }
    assert_eq!(builder.tip(), tip);
    assert_eq!(*builder.coins(), coins);
}

#[test]
fn fork_forgets_what_came_after_it() {
    let mut builder = Builder::regtest(11);
    builder.prepare(12);
    let mut coins = vec![builder.coins().clone()];
    for _ in 0..20 {
        builder.random_block();
        coins.push(builder.coins().clone());
    }
    let last = builder.height();
    for (depth, coins) in (0..).zip(coins.iter().rev()) {
        let mut fork = builder.fork_at(last - depth);
        assert_eq!(fork.height(), last - depth);
        assert_eq!(fork.coins(), coins, "{depth} blocks back");
        assert_ne!(Some(fork.random_block()), builder.block(last - depth + 1).cloned(), "the fork goes its own way");
    }
}

#[test]
fn blocks_meet_their_target_and_commit_to_their_transactions() {
    for block in chain(12).blocks() {
        block.header.validate_pow(block.header.target()).unwrap();
        assert!(block.check_merkle_root());
        assert!(block.check_witness_commitment());
    }
}

#[test]
fn time_is_as_told() {
    let mut builder = Builder::regtest(13);
    builder.set_time(1_500_000_000);
    assert_eq!(builder.mine(&[]).header.time, 1_500_000_000);
    assert!(builder.mine(&[]).header.time > 1_500_000_000, "and goes on from there");
}

#[test]
fn block_file_is_read_back() {
    let builder = chain(14);
    let file = bytes(&builder);
    let read: Vec<_> = blk::blocks(&file, Parameters::regtest().magic).into_iter().map(<[u8]>::to_vec).collect();
    let written: Vec<_> = builder.blocks().map(encode::serialize).collect();
    assert_eq!(read, written);
}

#[test]
fn every_block_arrives_after_its_parent_at_least_once() {
    let mut builder = chain(15);
    let (mut orphans, mut repeats, mut forks, mut broken) = (0, 0, 0, 0);
    for seed in 0..20 {
        let tree = Tree::random(&mut builder, 20);
        let mut seen = BTreeSet::new();
        let mut settled = BTreeSet::new();
        for index in tree.order(&mut Random::new(seed)) {
            let parent = tree.entries()[index].parent;
            let ready = parent.is_none_or(|parent| settled.contains(&parent));
            orphans += u32::from(!ready);
            repeats += u32::from(!seen.insert(index));
            if ready {
                settled.insert(index);
            }
        }
        assert_eq!(settled.len(), tree.entries().len(), "tree {seed}");
        let parents: Vec<_> = tree.entries().iter().map(|entry| entry.parent).collect();
        forks += parents.len() - parents.iter().collect::<BTreeSet<_>>().len();
        broken += tree.entries().iter().filter(|entry| entry.broken.is_some()).count();
    }
    assert!(orphans > 0 && repeats > 0 && forks > 0 && broken > 0, "{orphans} {repeats} {forks} {broken}");
}

#[test]
fn bench_chain_has_its_size_and_spends_old_coins() {
    let size = bench::Size { transactions: 120, inputs: 2, outputs: 2, per_block: 40 };
    let builder = bench::chain(16, size, &[(Kind::Wpkh, 1), (Kind::TrKey, 1)]);
    let measured: Vec<_> = builder.blocks().filter(|block| block.txdata.len() == 41).collect();
    assert_eq!(measured.len(), 3);
    let transactions = measured.iter().flat_map(|block| block.txdata.iter().skip(1));
    assert!(transactions.clone().all(|transaction| transaction.input.len() == 2 && transaction.output.len() == 2));
    assert_eq!(transactions.count(), 120);
    assert_eq!(bytes(&builder), bytes(&bench::chain(16, size, &[(Kind::Wpkh, 1), (Kind::TrKey, 1)])));
}
