//! A chain file, decoded, with the coins that its transactions spend.

use std::collections::HashMap;
use std::path::Path;

use yap_chain::bitcoin::{BlockHash, OutPoint};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::verify::{Flags, Job};

/// What the bench needs of a chain.
pub(crate) struct Chain {
    /// The last block.
    pub(crate) tip: BlockHash,
    /// The script jobs of each block.
    pub(crate) blocks: Vec<Vec<Job>>,
    /// Bytes of the file.
    pub(crate) size: u64,
}

impl Chain {
    /// Reads a file in Bitcoin Core's framing: magic, length, block.
    pub(crate) fn read(path: &Path) -> Self {
        let file = std::fs::read(path).expect("the chain file can be read");
        let (mut rest, mut coins, mut blocks, mut tip) = (file.as_slice(), HashMap::new(), Vec::new(), None);
        while let [_, _, _, _, a, b, c, d, body @ ..] = rest {
            let (bytes, after) = body.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
            rest = after;
            let block = Block::parse(bytes.to_vec()).expect("the file holds blocks");
            tip = Some(block.hash());
            blocks.push(jobs(&block, &mut coins));
        }
        Self { tip: tip.expect("the file holds a block"), blocks, size: file.len() as u64 }
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.blocks.iter().flatten()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.jobs().map(|job| job.spent.len()).sum()
    }
}

fn jobs(block: &Block, coins: &mut HashMap<OutPoint, Coin>) -> Vec<Job> {
    let mut jobs = Vec::new();
    for transaction in block.transactions() {
        if !transaction.is_coinbase() {
            let spent = transaction.decoded().input.iter().map(|input| coins.remove(&input.previous_output));
            let spent = spent.collect::<Option<Vec<_>>>().expect("the chain spends coins that it has");
            jobs.push(Job { transaction: transaction.raw().clone(), spent: spent.into(), flags: Flags::ALL });
        }
        for (vout, output) in (0..).zip(&transaction.decoded().output) {
            let coin = Coin::new(output.value, &output.script_pubkey, 1, transaction.is_coinbase());
            coins.insert(OutPoint::new(transaction.txid(), vout), coin);
        }
    }
    jobs
}
