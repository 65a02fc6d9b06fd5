//! What becomes of a chain under miners of all sorts: the figures of `docs/adr/0012-relative-retarget.md`.
//!
//! `cargo nextest run -p yap-chain --no-capture simulation` prints them. Times are drawn from seeds that the tests name.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times and counts are small")]
#![expect(clippy::cast_precision_loss, reason = "figures are not exact")]

use super::*;

/// Numbers that follow from a seed (splitmix64).
struct Random(u64);

impl Random {
    /// A number from 0 up to, but not, 1.
    fn part(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A wait whose mean is `mean`, however long one has waited.
    fn wait(&mut self, mean: f64) -> f64 {
        -(1.0 - self.part()).ln() * mean
    }
}

/// A chain, the true time, and who mines it.
struct World {
    chain: Chain,
    random: Random,
    /// Seconds since the start.
    now: f64,
    start: u32,
}

impl World {
    /// A year after the genesis block, under which nothing was mined.
    fn new(spec: Spec, seed: u64) -> Self {
        let start = spec.genesis.header.time + 31_536_000;
        Self { chain: Chain::new(spec), random: Random(seed), now: 0.0, start }
    }

    fn height(&self) -> u32 {
        self.chain.tree.height(self.chain.tip)
    }

    /// Hashes that the next block takes on average.
    fn hashes(&self) -> f64 {
        hashes(Target::from_compact(self.chain.tree.next_bits(self.chain.tip, self.clock())))
    }

    fn clock(&self) -> u32 {
        self.start + self.now as u32
    }

    /// A block is found by `rate` hashes a second, and claims to be `ahead` seconds ahead of the clock.
    fn mine(&mut self, rate: f64, ahead: u32) {
        self.now += self.random.wait(self.hashes() / rate);
        self.claim(ahead);
    }

    /// A block is found now.
    fn claim(&mut self, ahead: u32) {
        let Chain { tree, tip } = &self.chain;
        let earliest = tree.earliest_time(*tip);
        // A miner waits until the clock has come near enough.
        let future = f64::from(tree.spec().times.future);
        self.now = self.now.max(f64::from(earliest) - f64::from(self.start) - future);
        let time = (self.clock() + ahead).max(earliest);
        let after = i64::from(time) - i64::from(tree.time(*tip));
        self.chain.push(after);
    }

    /// Mines for some seconds; gives the blocks.
    fn mine_for(&mut self, rate: f64, seconds: f64) -> u32 {
        let (until, before) = (self.now + seconds, self.height());
        while self.now < until {
            self.mine(rate, 0);
        }
        self.height() - before
    }
}

const RATE: f64 = 1e6;

#[test]
fn a_steady_miner_finds_a_block_every_ten_seconds() {
    let mut world = World::new(Spec::local(), 1);
    let free = world.mine_for(RATE, 60.0);
    let climbed = world.mine_for(RATE, 3_600.0);
    let (mut sum, mut squares) = (0.0, 0.0);
    let (from, blocks) = (world.now, 20_000);
    for _ in 0..blocks {
        world.mine(RATE, 0);
        let deviation = (world.hashes() / (10.0 * RATE)).ln();
        sum += deviation;
        squares += deviation * deviation;
    }
    let blocks = f64::from(blocks);
    let spacing = (world.now - from) / blocks;
    let (mean, width) = (sum / blocks, (squares / blocks - (sum / blocks).powi(2)).sqrt());
    eprintln!("from the limit, 1 MH/s: {free} blocks in the first minute, {climbed} in the hour after it");
    eprintln!("steady: {spacing:.3} s a block; ln of hashes: mean {mean:+.3}, standard deviation {width:.3}");
    assert!((9.9..10.1).contains(&spacing), "{spacing}");
    assert!(width < 0.15 && mean.abs() < 0.05, "{mean} {width}");
    // log2(10⁷ ÷ 2) half-lives of 24 blocks are free, most of them at once; and those of the time itself.
    let due = 22.25 * 24.0 + 366.0;
    assert!((450..=550).contains(&free) && (f64::from(free + climbed) - due).abs() < 30.0, "{free} {climbed}");
}

#[test]
fn ten_times_the_hash_rate_or_a_tenth_is_absorbed() {
    let mut blocks_until = Vec::new();
    for (seed, factor) in [(2, 10.0), (3, 0.1), (4, 1_000.0), (5, 0.001)] {
        let mut world = World::new(Spec::local(), seed);
        world.mine_for(RATE, 7_200.0);
        let (height, from) = (world.height(), world.now);
        let aim = 10.0 * RATE * factor;
        while (world.hashes() / aim).ln().abs() > 0.2 {
            world.mine(RATE * factor, 0);
        }
        let (blocks, seconds) = (world.height() - height, world.now - from);
        eprintln!("rate × {factor}: spacing near 10 s again after {blocks} blocks and {seconds:.0} s");
        blocks_until.push((blocks, seconds));
    }
    let [up, down, far_up, far_down] = blocks_until[..] else { panic!() };
    assert!((60..=160).contains(&up.0) && up.1 < 900.0, "{up:?}");
    assert!(down.0 <= 120 && down.1 < 2_400.0, "{down:?}");
    assert!(far_up.0 <= 320 && far_up.1 < 900.0, "{far_up:?}");
    // What can't be helped: the first block takes a thousand times as long, and the next one half of that.
    assert!(far_down.0 <= 60 && far_down.1 < 60_000.0, "{far_down:?}");
}

#[test]
fn a_chain_that_rests_goes_on_at_once_and_owes_no_blocks() {
    let mut world = World::new(Spec::local(), 6);
    world.mine_for(RATE, 7_200.0);
    // Payments every ten minutes; only then somebody mines.
    let mut waits = Vec::new();
    for _ in 0..100 {
        world.now += world.random.wait(600.0);
        let asked = world.now;
        world.mine(RATE, 0);
        waits.push(world.now - asked);
    }
    let first: Vec<String> = waits.iter().take(12).map(|wait| format!("{wait:.1}")).collect();
    eprintln!("on demand, a payment every 600 s: seconds until its block {}, …", first.join(", "));
    assert!(waits[40..].iter().all(|wait| *wait < 0.01), "{waits:?}");
    assert!(world.hashes() < 10.0);
    // A month later somebody mines all the time: the month is no debt.
    world.now += 30.0 * 86_400.0;
    let burst = world.mine_for(RATE, 3_600.0);
    eprintln!("after a month's rest a steady miner finds {burst} blocks in an hour");
    assert!(burst < 360 + 580, "{burst}");
}

#[test]
fn dates_ahead_of_the_clock_gain_what_they_are_ahead_and_once() {
    let hours = |seed, ahead: u32, share: f64| {
        let mut world = World::new(Spec::local(), seed);
        world.mine_for(RATE, 7_200.0);
        let (height, until) = (world.height(), world.now + 36_000.0);
        while world.now < until {
            let liar = world.random.part() < share;
            world.mine(RATE, if liar { ahead } else { 0 });
        }
        f64::from(world.height() - height)
    };
    let mean = |ahead, share| (10..20).map(|seed| hours(seed, ahead, share)).sum::<f64>() / 10.0;
    let honest = mean(0, 0.0);
    for share in [0.01, 0.1, 0.5, 1.0] {
        let lied = mean(240, share);
        let gain = lied - honest;
        eprintln!(
            "ten hours, {share} of the blocks dated 240 s ahead: {lied:.0} blocks, honest {honest:.0}, {gain:+.0}"
        );
        // 24 for the seconds, and a few for luck.
        assert!((-36.0..=36.0).contains(&gain), "{share}: {gain}");
    }
}

/// Why times may be no further ahead than what counts of a block: the rest would be lost, for everybody.
#[test]
fn dates_further_ahead_than_what_counts_would_slow_a_chain() {
    let mut spec = Spec::local();
    spec.times.future = 600;
    let mut world = World::new(spec, 7);
    world.mine_for(RATE, 7_200.0);
    let (height, until) = (world.height(), world.now + 36_000.0);
    while world.now < until {
        let liar = world.random.part() < 0.1;
        world.mine(RATE, if liar { 600 } else { 0 });
    }
    let blocks = world.height() - height;
    eprintln!("with 600 s allowed, a tenth of the blocks dated so: {blocks} blocks in ten hours");
    assert!(blocks < 3_400, "{blocks}");
}

/// What the rule replaces: a schedule that counts from the genesis block.
#[test]
fn a_schedule_from_the_genesis_block_owes_every_block_that_was_not_mined() {
    let mut world = World::new(asert(), 8);
    world.mine_for(RATE, 3.0 * 3_600.0);
    assert!(world.hashes() < 3.0, "a year behind, the easiest target stays");
    let blocks = world.height();
    eprintln!("aserti3-2d from the genesis block, a year behind: {blocks} blocks in three hours, each of 2 hashes");
    assert!(blocks > 10_000, "{blocks}");
}
