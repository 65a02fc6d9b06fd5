//! Our rules on regtest, with a set in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bitcoin::{Amount, BlockHash, Network, OutPoint};
use yap_chain::block::{self, Block, Error, check, check_in_context};
use yap_chain::coin::Coin;
use yap_chain::connect::{Coins, Context, Failure, connect, disconnect};
use yap_chain::spec::Deployments;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::verify::Flags;

/// Why a block is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: String,
    pub(crate) mutation: bool,
}

pub(crate) struct Chain {
    pub(crate) headers: Headers,
    pub(crate) set: Set,
    deployments: Deployments,
}

pub(crate) struct Headers {
    times: Vec<u32>,
    hashes: Vec<BlockHash>,
}

#[derive(Default)]
pub(crate) struct Set(pub(crate) BTreeMap<OutPoint, Coin>);

impl Coins for Set {
    type Error = Infallible;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.0.get(outpoint).cloned())
    }
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

impl Chain {
    pub(crate) fn new() -> Self {
        let genesis = bitcoin::constants::genesis_block(Network::Regtest);
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
        let headers = Headers { times: vec![genesis.header.time], hashes: vec![genesis.block_hash()] };
        Self { headers, set: Set::default(), deployments }
    }

    /// Height of the next block.
    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.headers.times.len()).unwrap()
    }

    /// Hash of the last block.
    pub(crate) fn tip(&self) -> BlockHash {
        *self.headers.hashes.last().expect("the genesis block is there")
    }

    pub(crate) fn subsidy(&self) -> u64 {
        5_000_000_000 >> (self.height() / 150)
    }

    /// Judges a block, and connects it if it is valid (`None`).
    pub(crate) fn judge(&mut self, bytes: Vec<u8>) -> Option<Verdict> {
        let block = Block::parse(bytes).expect("we can read the block");
        let height = self.height();
        let median_time_past = self.headers.median_time_past(height - 1);
        let place = block::Context { height, median_time_past, deployments: &self.deployments };
        let context = Context {
            place,
            ancestors: &self.headers,
            subsidy: Amount::from_sat(self.subsidy()),
            flags: Flags::ALL,
            scripts: true,
            seed: 7,
        };
        let verdict = check(&block).and_then(|()| check_in_context(&block, &place)).map_err(Failure::Rule);
        let effect = match verdict.and_then(|()| connect(&block, &context, &mut self.set)) {
            Ok(effect) => effect,
            Err(Failure::Coins(never)) => match never {},
            Err(Failure::Rule(error)) => {
                // Bitcoin Core looks for nodes of the Merkle tree that pass for transactions where blocks arrive, so that
                // its verdict here does not tell.
                let mutation = error.is_mutation() && !matches!(error, Error::NoCoinbase { .. });
                return Some(Verdict { reason: error.reason().to_owned(), mutation });
            }
        };
        let before = self.set.0.clone();
        self.apply(&effect.changes);
        let back = disconnect(&block, &effect.undo, height, 8).expect("its own undo data fits");
        self.apply(&back);
        assert_eq!(self.set.0, before, "disconnecting is the inverse");
        self.apply(&effect.changes);
        self.headers.times.push(block.header().time);
        self.headers.hashes.push(block.hash());
        None
    }

    fn apply(&mut self, changes: &yap_chain::connect::Changes) {
        for outpoint in &changes.removed {
            assert!(self.set.0.remove(outpoint).is_some());
        }
        for (outpoint, coin) in &changes.created {
            assert!(self.set.0.insert(*outpoint, coin.clone()).is_none());
        }
    }
}
