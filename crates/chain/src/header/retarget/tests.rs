mod simulation;

use std::sync::Arc;

use bitcoin::block::{Header, Version};
use bitcoin::consensus::Params;
use bitcoin::hashes::Hash;
use bitcoin::{TxMerkleNode, Work};
use proptest::prelude::*;

use super::*;
use crate::spec::{Spec, Times};

/// A chain on the genesis header of `spec` with the given seconds between headers. Each has the bits that are required,
/// and none has work: the tree takes it on trust.
struct Chain {
    tree: Tree,
    tip: Id,
}

impl Chain {
    fn new(spec: Spec) -> Self {
        let tree = Tree::new(Arc::new(spec), 1);
        let tip = tree.genesis();
        Self { tree, tip }
    }

    fn next_bits(&self, after: i64) -> CompactTarget {
        next_bits(&self.tree, self.tip, self.time(after))
    }

    fn time(&self, after: i64) -> u32 {
        u32::try_from(i64::from(self.tree.time(self.tip)) + after).unwrap()
    }

    fn push(&mut self, after: i64) {
        self.push_bits(after, self.next_bits(after));
    }

    fn push_bits(&mut self, after: i64, bits: CompactTarget) {
        let header = Header {
            version: Version::TWO,
            prev_blockhash: self.tree.hash(self.tip),
            merkle_root: TxMerkleNode::all_zeros(),
            time: self.time(after),
            bits,
            nonce: 0,
        };
        self.tip = self.tree.insert_trusted(&header).unwrap();
    }

    fn grow(&mut self, headers: u32, after: i64) {
        for _ in 0..headers {
            self.push(after);
        }
    }
}

fn bits(number: u32) -> CompactTarget {
    CompactTarget::from_consensus(number)
}

fn with_interval(spec: Spec, interval: u32) -> Spec {
    let Retarget::Bitcoin { min_difficulty_blocks, bip94, .. } = spec.work.retarget else {
        panic!("not Bitcoin's rule")
    };
    let retarget = Retarget::Bitcoin { interval, min_difficulty_blocks, bip94 };
    Spec { work: ProofOfWork { retarget, ..spec.work.clone() }, ..spec }
}

/// A chain with aserti3-2d, which no built-in one has.
fn asert() -> Spec {
    let local = Spec::local();
    let work = ProofOfWork { retarget: Retarget::Asert { half_life: 120 }, ..local.work.clone() };
    Spec { name: "asert".into(), work, times: Times::BITCOIN, ..local }
}

/// A chain with each rule, built-in or not.
fn specs() -> impl Strategy<Value = Spec> {
    let mut specs: Vec<Spec> = crate::spec::NAMES.iter().filter_map(|name| Spec::builtin(name)).collect();
    specs.push(asert());
    prop::sample::select(specs)
}

/// Hashes that meeting a target takes on average.
fn hashes(target: Target) -> f64 {
    target.to_be_bytes().iter().rev().fold(0.0, |sum, byte| (sum + f64::from(*byte)) / 256.0).recip()
}

/// Bitcoin Core, `src/test/pow_tests.cpp`, `get_next_work` and its siblings (MIT).
#[test]
fn adjustments_equal_cores() {
    let work = Spec::bitcoin().work;
    for (last, first_time, last_time, expected) in [
        (0x1d00_ffff, 1_261_130_161, 1_262_152_739, 0x1d00_d86a),
        (0x1d00_ffff, 1_231_006_505, 1_233_061_996, 0x1d00_ffff),
        (0x1c05_a3f4, 1_279_008_237, 1_279_297_671, 0x1c01_68fd),
        (0x1c38_7f6f, 1_263_163_443, 1_269_211_443, 0x1d00_e1fd),
    ] {
        assert_eq!(adjusted(bits(last), last_time - first_time, &work, 2016), bits(expected));
    }
}

proptest! {
    #[test]
    fn adjustments_equal_those_of_the_bitcoin_crate(size in 0x08_u32..=0x1c, mantissa in 0x00_8000_u32..0x80_0000, timespan: u32) {
        let last = bits(size << 24 | mantissa);
        let expected = CompactTarget::from_next_work_required(last, u64::from(timespan), Params::MAINNET);
        prop_assert_eq!(adjusted(last, i64::from(timespan), &Spec::bitcoin().work, 2016), expected);
    }

    #[test]
    fn no_adjustment_leaves_the_limit(number: u32, timespan: i64, interval: u32, spacing: u32, limit: [u8; 32]) {
        let limit = Target::from_le_bytes(limit);
        let work = ProofOfWork { limit, spacing, retarget: Retarget::None };
        prop_assume!(limit > Target::ZERO);
        let next = adjusted(bits(number), timespan, &work, interval);
        prop_assert!(pow::target(next, &limit).is_some(), "{next:x}");
    }
}

proptest! {
    #[test]
    fn whatever_the_times_the_next_target_is_allowed(
        spec in specs(), times in prop::collection::vec(any::<u32>(), 1..60)
    ) {
        let spec = if matches!(spec.work.retarget, Retarget::Bitcoin { .. }) { with_interval(spec, 6) } else { spec };
        let limit = spec.work.limit;
        let mut chain = Chain::new(spec);
        for time in times {
            let after = i64::from(time) - i64::from(chain.tree.time(chain.tip));
            let next = chain.next_bits(after);
            prop_assert!(pow::target(next, &limit).is_some(), "{:x}", next);
            chain.push_bits(after, next);
        }
    }
}

/// A quarter of such a period is no second at all. It must not become a target that nobody can meet.
#[test]
fn the_shortest_period_adjusts_no_further_than_others() {
    for (interval, spacing, hardest) in [(2, 1, 0x203f_ffff), (3, 1, 0x202a_aaaa), (4, 1, 0x201f_ffff)] {
        let work = ProofOfWork { limit: Spec::regtest().work.limit, spacing, retarget: Retarget::None };
        assert_eq!(adjusted(bits(0x207f_ffff), -5, &work, interval), bits(hardest), "{interval}");
    }
    let smallest = bits(0x0101_0000);
    assert_eq!(adjusted(smallest, 0, &Spec::bitcoin().work, 2016), smallest, "no target is below one");
}

#[test]
fn a_chain_without_adjustment_keeps_its_bits() {
    let mut chain = Chain::new(Spec::regtest());
    chain.grow(300, 1);
    assert_eq!(chain.next_bits(100_000), bits(0x207f_ffff));
}

#[test]
fn bitcoin_adjusts_at_the_end_of_a_period_only() {
    let mut chain = Chain::new(Spec::bitcoin());
    chain.grow(2014, 300);
    assert_eq!(chain.next_bits(300), bits(0x1d00_ffff));
    chain.push(300);
    // 2,015 gaps of 300 s, where 2,016 of 600 s are due.
    let expected = CompactTarget::from_next_work_required(bits(0x1d00_ffff), 2015 * 300, Params::MAINNET);
    assert_eq!(chain.next_bits(300), expected);
    chain.push(300);
    assert_eq!(chain.next_bits(1), expected);
    assert!(chain.tree.work(chain.tip) > Work::from_be_bytes([0; 32]));
}

#[test]
fn time_that_runs_backwards_counts_as_a_quarter() {
    let mut chain = Chain::new(with_interval(Spec::bitcoin(), 4));
    chain.grow(2, 0);
    chain.push(-1_000);
    assert_eq!(chain.next_bits(0), bits(0x1c3f_ffc0));
}

#[test]
fn a_late_block_of_a_test_network_may_be_easy() {
    let mut chain = Chain::new(with_interval(Spec::testnet4(), 8));
    // A hard first period.
    chain.grow(8, 1);
    let real = chain.tree.bits(chain.tip);
    assert_eq!(real, bits(0x1c3f_ffc0));
    let easiest = bits(0x1d00_ffff);
    assert_eq!(chain.next_bits(1200), real, "twice the spacing is not late");
    assert_eq!(chain.next_bits(1201), easiest);
    chain.push(1201);
    chain.push(1201);
    assert_eq!(chain.next_bits(1200), real, "excused blocks are skipped on the way back");
    chain.push(1200);
    assert_eq!(chain.next_bits(1200), real);
}

#[test]
fn bip94_adjusts_from_the_first_block_of_a_period() {
    let testnet4 = with_interval(Spec::testnet4(), 8);
    let Retarget::Bitcoin { interval, min_difficulty_blocks, .. } = testnet4.work.retarget else { panic!() };
    let retarget = Retarget::Bitcoin { interval, min_difficulty_blocks, bip94: false };
    let testnet3 = Spec { work: ProofOfWork { retarget, ..testnet4.work.clone() }, ..testnet4.clone() };
    let grown = |spec| {
        let mut chain = Chain::new(spec);
        chain.grow(8, 1);
        chain.grow(6, 600);
        // The last block of the second period is excused.
        chain.push(1201);
        chain.next_bits(600)
    };
    // The second period took 4,801 s of 4,800.
    let real = Wide::from(pow::target(bits(0x1c3f_ffc0), &testnet4.work.limit).unwrap());
    assert_eq!(grown(testnet4), real.times(4801).over(4800).to_target().to_compact_lossy());
    assert_eq!(grown(testnet3), bits(0x1d00_ffff));
}

#[test]
fn asert_follows_the_hash_rate() {
    let mut chain = Chain::new(asert());
    assert_eq!(chain.next_bits(0), chain.tree.bits(chain.tip), "the first block has the genesis block's target");
    let target = |chain: &Chain| Target::from_compact(chain.next_bits(0));
    let before = target(&chain);
    chain.grow(12, 0);
    // Twelve blocks at once are 120 s ahead of schedule: one half-life.
    let ahead = target(&chain);
    assert_eq!(ahead, Target::from_compact(bits(0x203f_ffff)));
    chain.push(10);
    assert_eq!(target(&chain), ahead, "a block on time changes nothing");
    chain.push(10 + 120);
    assert_eq!(target(&chain), before, "a half-life of waiting doubles it");
    chain.push(100_000);
    assert_eq!(target(&chain), before, "the limit holds");
}

/// Runs of `vectors/relative.py`: a header line `run bits limit spacing half-life`, then lines `seconds bits`.
const RELATIVE: &str = include_str!("../../../../../vectors/relative.txt");

#[test]
fn relative_targets_equal_those_of_an_independent_computation() {
    let mut run = None;
    let mut compared = 0;
    for line in RELATIVE.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let hex = |text| bits(u32::from_str_radix(text, 16).unwrap());
        if let ["run", start, limit, spacing, half_life] = fields[..] {
            let (limit, half_life) = (Target::from_unprefixed_hex(limit).unwrap(), half_life.parse().unwrap());
            let retarget = Retarget::Relative { half_life };
            run = Some((ProofOfWork { limit, spacing: spacing.parse().unwrap(), retarget }, half_life, hex(start)));
            continue;
        }
        let (work, half_life, before) = run.as_mut().unwrap();
        let next = relative(work, *half_life, *before, Some(fields[0].parse().unwrap()));
        assert_eq!(next, hex(fields[1]), "{line}");
        *before = next;
        compared += 1;
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn a_relative_target_follows_what_the_parent_took() {
    let mut chain = Chain::new(Spec::local());
    let target = |chain: &Chain| Target::from_compact(chain.next_bits(0));
    let limit = target(&chain);
    chain.push(50_000);
    assert_eq!(target(&chain), limit, "who mines the first block late finds the next as easy");
    chain.grow(24, 0);
    let ratio = hashes(target(&chain)) / hashes(limit);
    assert!((ratio - 2.0).abs() < 0.01, "a half-life of blocks at once: {ratio}");
    let before = target(&chain);
    chain.push(10);
    assert_eq!(target(&chain), before, "a block on time changes nothing");
    chain.grow(24, 0);
    let hard = target(&chain);
    chain.push(1_000_000);
    let doubled = Wide::from(hard).doubled(1).map(Wide::to_target);
    assert_eq!(Some(target(&chain)), doubled, "however long the rest, the next block is twice as easy");
    chain.push(0);
    assert!(target(&chain) < before, "a rest is not made up for by blocks that follow it");
}

proptest! {
    #[test]
    fn whatever_is_required_is_permitted(
        spec in specs(), gaps in prop::collection::vec(-10_i64..3_000, 1..60)
    ) {
        let spec = if matches!(spec.work.retarget, Retarget::Bitcoin { .. }) { with_interval(spec, 6) } else { spec };
        let mut chain = Chain::new(spec);
        for gap in gaps {
            let parent = chain.tree.header(chain.tip);
            let before = chain.tree.parent(chain.tip).map(|before| chain.tree.time(before));
            chain.push(gap);
            let (height, bits) = (chain.tree.height(chain.tip), chain.tree.bits(chain.tip));
            prop_assert!(permits(chain.tree.spec(), height, &parent, before, bits), "{:x} at {}", bits, height);
        }
    }
}

/// Bitcoin Core, `src/test/pow_tests.cpp`, the same adjustments as above: what lies beyond each bound is refused (MIT).
#[test]
fn a_target_beyond_what_an_adjustment_allows_is_not_permitted() {
    let spec = Spec::bitcoin();
    let after = |last, height, next| {
        permits(&spec, height, &Header { bits: bits(last), ..spec.genesis.header }, None, bits(next))
    };
    assert!(after(0x1d00_ffff, 32_256, 0x1d00_d86a));
    assert!(after(0x1c05_a3f4, 68_544, 0x1c01_68fd), "exactly a quarter");
    assert!(!after(0x1c05_a3f4, 68_544, 0x1c01_68fc), "less than a quarter");
    assert!(after(0x1c38_7f6f, 46_368, 0x1d00_e1fd), "exactly fourfold");
    assert!(!after(0x1c38_7f6f, 46_368, 0x1d00_e1fe), "more than fourfold");
    assert!(!after(0x1d00_ffff, 32_257, 0x1d00_d86a), "not at the end of a period");
    assert!(!after(0x1c38_7f6f, 46_368, 0x0100_0000), "no target");
    let regtest = Spec::regtest();
    assert!(!permits(&regtest, 1, &regtest.genesis.header, None, bits(0x2000_ffff)));
    let local = Spec::local();
    assert!(permits(&local, 1, &local.genesis.header, None, bits(0x207f_ffff)));
    assert!(
        !permits(&local, 1, &local.genesis.header, None, bits(0x207f_fffe)),
        "there is one alone that the rule allows"
    );
}
