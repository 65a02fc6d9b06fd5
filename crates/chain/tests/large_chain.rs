//! A larger chain that Bitcoin Core validated, through every rule but scripts and back, and what each stage takes.
//!
//! `YAP_TEST_DATA` names the folder with `regtest-240.blk`; without it there is nothing to do.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it reads a file, measures time and prints it"
)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bitcoin::{Amount, BlockHash, OutPoint};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use yap_chain::block::{self, Block, check, check_in_context};
use yap_chain::coin::Coin;
use yap_chain::connect::{Changes, Coins, Context, connect, disconnect};
use yap_chain::spec::Deployments;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::verify::Flags;

/// Blocks in the file.
const BLOCKS: u32 = 240;

struct Headers {
    times: Vec<u32>,
}

impl Ancestors for Headers {
    fn median_time_past(&self, height: u32) -> u32 {
        let height = usize::try_from(height).unwrap();
        let mut times = self.times[height.saturating_sub(10)..=height].to_vec();
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn hash(&self, _: u32) -> Option<BlockHash> {
        None
    }
}

#[derive(Default)]
struct Set(HashMap<OutPoint, Coin, FixedState>);

impl Set {
    fn apply(&mut self, changes: Changes) {
        for outpoint in changes.removed {
            assert!(self.0.remove(&outpoint).is_some());
        }
        for (outpoint, coin) in changes.created {
            assert!(self.0.insert(outpoint, coin).is_none());
        }
    }
}

impl Coins for Set {
    type Error = Infallible;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.0.get(outpoint).cloned())
    }
}

/// The serialised blocks of a file in Bitcoin Core's framing.
fn blocks(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = file;
    let mut blocks = Vec::new();
    while let [0xfa, 0xbf, 0xb5, 0xda, a, b, c, d, after @ ..] = rest {
        let (block, after) = after.split_at(usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap());
        blocks.push(block.to_vec());
        rest = after;
    }
    blocks
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    *total += start.elapsed();
    outcome
}

#[test]
fn larger_chain_of_bitcoin_core_connects_and_disconnects() {
    let Some(folder) = std::env::var_os("YAP_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: YAP_TEST_DATA does not name a folder with regtest-240.blk");
        return;
    };
    let file = std::fs::read(folder.join("regtest-240.blk")).unwrap();
    let deployments = Deployments {
        bip34: 1,
        bip34_hash: None,
        bip65: 1,
        bip66: 1,
        csv: 1,
        segwit: 0,
        bip30_repeats: Vec::new(),
        script_exceptions: Vec::new(),
    };
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let mut headers = Headers { times: vec![genesis.header.time] };
    let mut set = Set::default();
    let mut connected = Vec::new();
    let [mut parsing, mut checking, mut connecting, mut applying, mut disconnecting] = [Duration::ZERO; 5];
    for (height, bytes) in (1..).zip(blocks(&file)) {
        let block = timed(&mut parsing, || Block::parse(bytes)).unwrap();
        let median_time_past = headers.median_time_past(height - 1);
        let place = block::Context { height, median_time_past, deployments: &deployments };
        timed(&mut checking, || check(&block).and_then(|()| check_in_context(&block, &place))).unwrap();
        let subsidy = Amount::from_sat(5_000_000_000 >> (height / 150));
        let context = Context { place, ancestors: &headers, subsidy, flags: Flags::ALL, scripts: true, seed: 1 };
        let effect = timed(&mut connecting, || connect(&block, &context, &mut set)).unwrap();
        timed(&mut applying, || set.apply(effect.changes));
        headers.times.push(block.header().time);
        connected.push((height, block, effect.undo));
    }
    assert_eq!(connected.len(), usize::try_from(BLOCKS).unwrap());
    assert_eq!(set.0.len(), 69_601);
    assert_eq!(set.0.values().map(|coin| coin.value).sum::<Amount>(), Amount::from_int_btc(9_725));
    let inputs: usize = connected.iter().flat_map(|(.., undo)| &undo.transactions).map(|coins| coins.len()).sum();
    assert_eq!(inputs, 55_339);

    for (height, block, undo) in connected.iter().rev() {
        let changes = timed(&mut disconnecting, || disconnect(block, undo, *height, 1)).unwrap();
        set.apply(changes);
    }
    assert!(set.0.is_empty());

    let per_input = |total: Duration| total.as_nanos() / u128::try_from(inputs).unwrap();
    println!("ns per input ({inputs} inputs):");
    println!("  parse and hash        {:6}", per_input(parsing));
    println!("  rules without coins   {:6}", per_input(checking));
    println!("  connect               {:6}", per_input(connecting));
    println!("  apply to a hash map   {:6}", per_input(applying));
    println!("  disconnect            {:6}", per_input(disconnecting));
}
