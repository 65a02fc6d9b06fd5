//! Bitcoin Core accepts what the builder builds, and refuses each mutation for the reason that the mutation names.

use std::collections::BTreeMap;
use std::path::Path;

use bitcoin::OutPoint;
use bitcoin::consensus::encode;
use yap_sim::builder::Parameters;
use yap_sim::lock::Kind;
use yap_sim::mutation::Expected;
use yap_sim::{Builder, Mutation, Oracle, Subject as _, Verdict, bench, blk};

/// Coins of each kind for the mutations to spend.
const COINS: usize = 40;

/// Gives the oracle the builder's blocks above a height.
fn teach(oracle: &mut Oracle, builder: &Builder, above: u32) {
    for (height, block) in (1..).zip(builder.blocks()).skip(above as usize) {
        assert_eq!(oracle.submit(&encode::serialize(block)), Verdict::Accepted, "height {height}");
        assert_eq!(oracle.tip(), (block.block_hash(), height));
    }
}

#[test]
fn core_accepts_what_the_builder_builds() {
    let mut spent: BTreeMap<Kind, usize> = BTreeMap::new();
    for seed in 0..3 {
        let mut oracle = Oracle::regtest().unwrap();
        let mut builder = Builder::regtest(seed);
        builder.mine_empty(101);
        for _ in 0..120 {
            let before = builder.coins().clone();
            let block = builder.random_block();
            let inputs = block.txdata.iter().skip(1).flat_map(|transaction| &transaction.input);
            for coin in inputs.filter_map(|input| before.get(&input.previous_output)) {
                *spent.entry(coin.lock.kind).or_default() += 1;
            }
        }
        teach(&mut oracle, &builder, 0);
    }
    let missing: Vec<_> = Kind::ALL.iter().filter(|kind| kind.is_spendable() && !spent.contains_key(kind)).collect();
    assert!(missing.is_empty(), "never spent: {missing:?}");
}

/// One transaction per kind, so that a failure names the kind.
#[test]
fn core_accepts_a_spend_of_each_kind() {
    let mut oracle = Oracle::regtest().unwrap();
    let mut builder = Builder::regtest(1);
    builder.prepare(4);
    teach(&mut oracle, &builder, 0);
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_spendable()) {
        for _ in 0..3 {
            let payment = builder.payment_of(kind).unwrap();
            let transaction = builder.sign(&payment);
            let block = builder.mine(&[transaction]);
            assert_eq!(oracle.submit(&encode::serialize(&block)), Verdict::Accepted, "{kind:?}: {block:?}");
        }
    }
}

#[test]
fn core_follows_the_builders_forks() {
    let mut oracle = Oracle::regtest().unwrap();
    let mut builder = Builder::regtest(3);
    builder.prepare(4);
    for _ in 0..10 {
        builder.random_block();
    }
    teach(&mut oracle, &builder, 0);
    for depth in [1, 5, 20] {
        let height = builder.height() - depth;
        let mut fork = builder.fork_at(height);
        while fork.height() <= builder.height() {
            assert_eq!(oracle.tip().0, builder.tip(), "the first of two equal branches stays");
            let block = fork.random_block();
            assert_eq!(oracle.submit(&encode::serialize(&block)), Verdict::Accepted);
        }
        assert_eq!(oracle.tip(), (fork.tip(), fork.height()), "the longer branch wins");
        builder = fork;
    }
}

#[test]
fn core_refuses_each_mutation_for_its_reason() {
    let mut wrong = Vec::new();
    for seed in 10..13 {
        let mut oracle = Oracle::regtest().unwrap();
        let mut builder = Builder::regtest(seed);
        builder.prepare(COINS);
        teach(&mut oracle, &builder, 0);
        for mutation in Mutation::all() {
            let case = mutation.apply(&mut builder).unwrap_or_else(|| {
                let height = builder.height();
                builder.prepare(COINS);
                teach(&mut oracle, &builder, height);
                mutation.apply(&mut builder).unwrap_or_else(|| panic!("no coins for {mutation:?}"))
            });
            let verdict = oracle.submit(&case.raw);
            let as_expected = match &case.expected {
                Expected::Invalid(kind, reason) => {
                    let rule = verdict.rule() == Some(reason);
                    rule && matches!(verdict, Verdict::Invalid { kind: Some(found), .. } if found == *kind)
                }
                expected @ (Expected::Valid | Expected::Unreadable | Expected::Open) => expected.allows(&verdict),
            };
            if !as_expected {
                wrong.push(format!("seed {seed}, {mutation:?}: expected {:?}, got {verdict}", case.expected));
            }
            for block in [case.block.filter(|_| verdict == Verdict::Accepted), case.original].into_iter().flatten() {
                oracle.submit(&encode::serialize(&block));
                builder.adopt(block);
            }
            assert_eq!(oracle.tip(), (builder.tip(), builder.height()), "seed {seed}, {mutation:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn core_accepts_a_bench_chain() {
    let bench = bench::Size { transactions: 300, inputs: 3, outputs: 2, per_block: 100 };
    let builder = bench::chain(5, bench, &[(Kind::Wpkh, 2), (Kind::TrKey, 2), (Kind::PublicKeyHash, 1)]);
    let mut oracle = Oracle::regtest().unwrap();
    teach(&mut oracle, &builder, 0);
    let spending: Vec<_> = builder.blocks().flat_map(|block| block.txdata.iter().skip(1)).collect();
    assert_eq!(spending.iter().filter(|transaction| transaction.input.len() == 3).count(), 300);
    assert!(spending.iter().all(|transaction| transaction.input.iter().all(|i| i.previous_output != OutPoint::null())));
}

#[test]
fn core_reaches_the_tip_of_the_vector() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/regtest-160.blk");
    let file = std::fs::read(path).unwrap();
    let mut oracle = Oracle::regtest().unwrap();
    for raw in blk::blocks(&file, Parameters::regtest().magic) {
        assert_eq!(oracle.submit(raw), Verdict::Accepted);
    }
    let (hash, height) = oracle.tip();
    assert_eq!(hash.to_string(), "2f8aedc07d7f739751d771e017bd62e9f7cb523c89fa9a6f28af06f492156fca");
    assert_eq!(height, 160);
}
