//! Bitcoin Core accepts what the builder builds, and refuses each mutation for the reason that the mutation names.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test"
)]
use bitcoin::consensus::encode;
use yap_sim::lock::Kind;
use yap_sim::{Builder, Mutation, Oracle, Subject as _, Verdict};

/// Hundreds of blocks of every kind of output.
#[test]
fn core_accepts_what_the_builder_builds() {
    for seed in 0..3 {
        let mut oracle = Oracle::regtest().unwrap();
        let mut builder = Builder::regtest(seed);
        builder.mine_empty(101);
        for _ in 0..120 {
            builder.random_block();
        }
        for (height, block) in (1..).zip(builder.blocks()) {
            let raw = encode::serialize(block);
            let verdict = oracle.submit(&raw);
            assert_eq!(verdict, Verdict::Accepted, "seed {seed}, height {height}");
            assert_eq!(oracle.tip(), (block.block_hash(), height), "seed {seed}");
        }
        let inputs: usize = builder.blocks().flat_map(|b| &b.txdata).map(|t| t.input.len()).sum();
        eprintln!("{inputs}");
    }
}

/// One transaction per kind, so that a failure names the kind.
#[test]
fn core_accepts_a_spend_of_each_kind() {
    let mut oracle = Oracle::regtest().unwrap();
    let mut builder = Builder::regtest(1);
    builder.prepare(4);
    for block in builder.blocks() {
        assert_eq!(oracle.submit(&encode::serialize(block)), Verdict::Accepted);
    }
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_spendable()) {
        for _ in 0..3 {
            let payment = builder.payment_of(kind).unwrap();
            let transaction = builder.sign(&payment);
            let block = builder.mine(&[transaction]);
            assert_eq!(oracle.submit(&encode::serialize(&block)), Verdict::Accepted, "{kind:?}: {block:?}");
        }
    }
}

/// Each mutation on a chain that has everything, with several seeds.
#[test]
fn core_refuses_each_mutation_for_its_reason() {
    let mut oracle = Oracle::regtest().unwrap();
    let mut builder = Builder::regtest(2);
    builder.prepare(40);
    for block in builder.blocks() {
        assert_eq!(oracle.submit(&encode::serialize(block)), Verdict::Accepted);
    }
    let mut wrong = Vec::new();
    for mutation in Mutation::all() {
        for round in 0..2 {
            let case = mutation.apply(&mut builder).unwrap_or_else(|| panic!("no coins for {mutation:?}"));
            let verdict = oracle.submit(&case.raw);
            if !case.expected.allows(&verdict) {
                wrong.push(format!("{mutation:?}, round {round}: expected {:?}, got {verdict}", case.expected));
            }
            if verdict == Verdict::Accepted {
                builder.adopt(case.block.expect("it was accepted"));
            }
            assert_eq!(oracle.tip(), (builder.tip(), builder.height()), "{mutation:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
