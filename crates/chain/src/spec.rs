//! What one chain's rules are.
//!
//! A [`Spec`] is plain data that every rule reads; [`Spec::regtest`] and its siblings give Bitcoin's own networks,
//! [`Spec::local`] ours, [`Spec::from_toml`] a chain of one's own.

mod builtin;
pub mod file;
mod genesis;

#[cfg(test)]
mod tests;

use bitcoin::{Amount, Block, BlockHash, ScriptBuf, Target, Work};

pub use self::builtin::NAMES;
pub use self::genesis::{Genesis, MAX_MESSAGE};
use crate::header::{MAX_FUTURE, pow};
use crate::producer::Producers;
use crate::verify::Flags;

/// The rules of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Name, also of the directory that holds the chain's state.
    pub name: String,
    /// Unit of account as users read it, such as `BTC`.
    pub ticker: String,
    /// First four bytes of each peer message and of each record in a block file.
    pub magic: [u8; 4],
    /// The block at height 0.
    pub genesis: Block,
    /// Proof of work and its adjustment.
    pub work: ProofOfWork,
    /// Which times a block may have.
    pub times: Times,
    /// New coins per block.
    pub subsidy: Subsidy,
    /// From which heights the soft forks hold.
    pub deployments: Deployments,
    /// BIP-0325: the script that every block but the first must satisfy.
    pub challenge: Option<ScriptBuf>,
    /// Scripts of this block and its ancestors are taken as valid, under the conditions of
    /// [`assumed_valid`](crate::header::Tree::assumed_valid).
    pub assume_valid: Option<BlockHash>,
    /// With less work than this on the best header, nothing is taken as valid for [`assume_valid`](Self::assume_valid).
    pub minimum_work: Work,
    /// How addresses are written.
    pub addresses: Addresses,
}

impl Spec {
    /// Who signs its blocks, where the challenge says so; see [`Producers::of`].
    ///
    /// Of built-in chains it says nothing: on Bitcoin's signet other programs know of nothing irreversible, and whoever does
    /// could part from them.
    #[must_use]
    pub fn producers(&self) -> Option<Producers> {
        let own = !NAMES.contains(&self.name.as_str());
        self.challenge.as_deref().filter(|_| own).and_then(Producers::of)
    }

    /// What the block at `height` may create beside its fees.
    #[must_use]
    pub fn subsidy_at(&self, height: u32) -> Amount {
        let halvings = height.checked_div(self.subsidy.halving).unwrap_or(0);
        // BIP-0042: sixty-four halvings leave nothing of any amount, where a shift would start again.
        Amount::from_sat(self.subsidy.initial.to_sat().checked_shr(halvings).unwrap_or(0))
    }

    /// The script rules in force for transactions of the block `hash` at `height`.
    ///
    /// As Bitcoin Core, P2SH, segwit and taproot hold from the first block, but in the blocks that are known to break
    /// them, which [`Deployments::script_exceptions`] lists.
    #[must_use]
    pub fn script_flags(&self, height: u32, hash: &BlockHash) -> Flags {
        let deployments = &self.deployments;
        let exception = deployments.script_exceptions.iter().find(|(block, _)| block == hash);
        let base = exception.map_or(Flags::P2SH.with(Flags::WITNESS).with(Flags::TAPROOT), |(_, flags)| *flags);
        [
            (deployments.bip66, Flags::DERSIG),
            (deployments.bip65, Flags::CHECKLOCKTIMEVERIFY),
            (deployments.csv, Flags::CHECKSEQUENCEVERIFY),
            // BIP-0147 came with segwit.
            (deployments.segwit, Flags::NULLDUMMY),
        ]
        .into_iter()
        .filter(|(from, _)| height >= *from)
        .fold(base, |flags, (_, fork)| flags.with(fork))
    }

    /// Searches the nonce with which the genesis block's header meets its own target, from the present one on, in at
    /// most `attempts` hashes. Gives the nonce and leaves it in the block; `None` leaves the block as it was.
    pub fn mine_genesis(&mut self, attempts: u32) -> Option<u32> {
        let mut header = self.genesis.header;
        for _ in 0..attempts {
            if pow::check(&header, &header.block_hash(), &self.work.limit).is_ok() {
                self.genesis.header = header;
                return Some(header.nonce);
            }
            header.nonce = header.nonce.wrapping_add(1);
        }
        None
    }
}

/// Proof of work and its adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofOfWork {
    /// The easiest target allowed.
    pub limit: Target,
    /// Seconds between blocks that the adjustment aims at.
    pub spacing: u32,
    /// How the target follows the blocks' times.
    pub retarget: Retarget,
}

impl ProofOfWork {
    /// Whether a block's time has no influence on its own target.
    #[must_use]
    pub fn time_is_free(&self) -> bool {
        match self.retarget {
            Retarget::Bitcoin { min_difficulty_blocks, .. } => !min_difficulty_blocks,
            Retarget::None | Retarget::Asert { .. } | Retarget::Relative { .. } => true,
        }
    }
}

/// How the target follows the blocks' times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retarget {
    /// Never: every block has the target of the genesis block.
    None,
    /// Bitcoin's: every `interval` blocks, by the time they took, at most fourfold.
    Bitcoin {
        /// Blocks between adjustments (Bitcoin: 2,016).
        interval: u32,
        /// Test networks: a block more than twice the spacing after its parent has the easiest target, and must.
        min_difficulty_blocks: bool,
        /// BIP-0094: adjust from the target of the period's first block, whose time may be 600 s before its parent's
        /// and no more.
        bip94: bool,
    },
    /// aserti3-2d: each block, exponentially by how far the chain is ahead of its schedule.
    Asert {
        /// Seconds of delay that double the target.
        half_life: u32,
    },
    /// Each block, exponentially by how long its parent took: aserti3-2d, anchored anew at each block. Time counts up to
    /// one half-life more than the spacing, so that no block is more than twice as easy as its parent.
    Relative {
        /// Seconds that a block takes more, or less, than the spacing, that double, or halve, the next one's target.
        half_life: u32,
    },
}

/// Which times a block may have, in its place and by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Seconds that it may be ahead of a node's clock.
    pub future: u32,
    /// Whether it may not be before its parent's time. That it is after the median of the eleven before, it must anyway.
    pub monotone: bool,
}

impl Times {
    /// Bitcoin's: two hours ahead, and after the median time alone.
    pub const BITCOIN: Self = Self { future: MAX_FUTURE, monotone: false };
}

/// New coins per block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsidy {
    /// What the first blocks create.
    pub initial: Amount,
    /// Blocks after which the subsidy halves; 0: never.
    pub halving: u32,
}

/// From which heights the soft forks hold. The script rules of P2SH, segwit and taproot hold from the first block: see
/// [`Spec::script_flags`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployments {
    /// Height in the coinbase; also blocks of version 2.
    pub bip34: u32,
    /// The block at that height, if BIP-0030 need not be checked on its branch.
    pub bip34_hash: Option<BlockHash>,
    /// `OP_CHECKLOCKTIMEVERIFY`; also blocks of version 4.
    pub bip65: u32,
    /// Strict DER signatures; also blocks of version 3.
    pub bip66: u32,
    /// BIP-0068, BIP-0112 and BIP-0113.
    pub csv: u32,
    /// Commitments to witnesses (BIP-0141), and BIP-0147.
    pub segwit: u32,
    /// Two blocks repeat an earlier coinbase (BIP-0030): height and hash.
    pub bip30_repeats: Vec<(u32, BlockHash)>,
    /// Blocks that break a later script rule and the flags that hold for them instead.
    pub script_exceptions: Vec<(BlockHash, Flags)>,
}

/// How addresses are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Base58 version byte of P2PKH addresses.
    pub p2pkh: u8,
    /// Base58 version byte of P2SH addresses.
    pub p2sh: u8,
    /// Human-readable part of segwit addresses.
    pub hrp: String,
    /// Base58 version byte of private keys in wallet import format.
    pub secret: u8,
    /// Version bytes of extended public keys.
    pub xpub: [u8; 4],
    /// Version bytes of extended private keys.
    pub xprv: [u8; 4],
}
