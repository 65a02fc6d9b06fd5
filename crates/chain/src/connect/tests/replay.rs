//! A chain that Bitcoin Core validated, through every rule and back.

use std::collections::VecDeque;

use bitcoin::{Amount, BlockHash};

use crate::block::{self, Block, check, check_in_context};
use crate::connect::{Context, connect, disconnect};
use crate::fixture::{Set, deployments, regtest_160};
use crate::transaction::lock::Ancestors;
use crate::verify::Flags;

/// Headers of a chain from its genesis block on.
struct Headers {
    times: Vec<u32>,
    hashes: Vec<BlockHash>,
}

impl Ancestors for Headers {
    fn median_time_past(&self, height: u32) -> u32 {
        let height = usize::try_from(height).unwrap();
        let mut times = self.times[height.saturating_sub(10)..=height].to_vec();
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        self.hashes.get(usize::try_from(height).unwrap()).copied()
    }
}

#[test]
fn chain_of_bitcoin_core_connects_and_disconnects() {
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let mut headers = Headers { times: vec![genesis.header.time], hashes: vec![genesis.block_hash()] };
    let deployments = deployments();
    let mut set = Set::default();
    let mut states = VecDeque::new();
    let (mut inputs, mut transactions, mut jobs) = (0, 0, 0);
    for (height, bytes) in (1..).zip(regtest_160()) {
        let block = Block::parse(bytes).unwrap();
        assert_eq!(Some(&block.header().prev_blockhash), headers.hashes.last());
        check(&block).unwrap();
        let median_time_past = headers.median_time_past(height - 1);
        let place = block::Context { height, median_time_past, deployments: &deployments };
        check_in_context(&block, &place).unwrap();
        let subsidy = Amount::from_sat(5_000_000_000 >> (height / 150));
        let context = Context { place, ancestors: &headers, subsidy, flags: Flags::ALL, scripts: true, seed: 1 };
        let effect = connect(&block, &context, &mut set).unwrap();
        transactions += block.transactions().len();
        inputs += effect.undo.transactions.iter().map(|coins| coins.len()).sum::<usize>();
        jobs += effect.jobs.len();
        states.push_front((height, block.clone(), effect.undo, set.coins.clone()));
        set.apply(&effect.changes);
        headers.times.push(block.header().time);
        headers.hashes.push(block.hash());
    }
    assert_eq!(set.coins.len(), 2_461);
    assert_eq!(set.coins.values().map(|coin| coin.value).sum::<Amount>(), Amount::from_int_btc(7_725));
    assert_eq!((transactions, jobs, inputs), (1_147, 1_147 - 160, 1_915));

    for (height, block, undo, before) in states {
        set.apply(&disconnect(&block, &undo, height, 2).unwrap());
        assert_eq!(set.coins, before, "height {height}");
    }
    assert!(set.coins.is_empty());
}
