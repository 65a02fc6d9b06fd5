//! What a builder needs to know of a chain.

use bitcoin::constants::genesis_block;
use bitcoin::{Amount, Block, Network};

/// What a builder needs to know of a chain. Every block has the genesis block's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The block at height 0.
    pub genesis: Block,
    /// First four bytes of each record in a block file.
    pub magic: [u8; 4],
    /// Seconds between blocks.
    pub spacing: u32,
    /// What the first blocks create.
    pub subsidy: Amount,
    /// Blocks after which the subsidy halves.
    pub halving: u32,
}

impl Parameters {
    /// Bitcoin's regtest.
    #[must_use]
    pub fn regtest() -> Self {
        Self {
            genesis: genesis_block(Network::Regtest),
            magic: Network::Regtest.magic().to_bytes(),
            spacing: 600,
            subsidy: Amount::from_sat(50 * Amount::ONE_BTC.to_sat()),
            halving: 150,
        }
    }

    /// What the block at a height may create.
    #[must_use]
    pub fn subsidy_at(&self, height: u32) -> Amount {
        let halvings = height / self.halving;
        Amount::from_sat(self.subsidy.to_sat().checked_shr(halvings).unwrap_or(0))
    }
}
