//! What one chain's rules are.
//!
//! A [`Spec`] is plain data that every rule reads; [`Spec::regtest`] and its siblings give Bitcoin's own networks.

use bitcoin::{Amount, Block, BlockHash, ScriptBuf, Target, Work};

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
    /// New coins per block.
    pub subsidy: Subsidy,
    /// From which heights the soft forks hold.
    pub deployments: Deployments,
    /// BIP-0325: the script that every block but the first must satisfy.
    pub challenge: Option<ScriptBuf>,
    /// Scripts of this block and its ancestors are taken as valid when it is on the best header chain.
    pub assume_valid: Option<BlockHash>,
    /// Chains with less work than this are not worth storing.
    pub minimum_work: Work,
    /// How addresses are written.
    pub addresses: Addresses,
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

/// How the target follows the blocks' times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retarget {
    /// Never: every block has the target of the genesis block.
    None,
    /// Bitcoin's: every `interval` blocks, by the time they took, at most fourfold.
    Bitcoin {
        /// Blocks between adjustments (Bitcoin: 2,016).
        interval: u32,
        /// Test networks: a block twice the spacing after its parent may have the easiest target.
        min_difficulty_blocks: bool,
        /// BIP-0094: adjust from the first block of the period, and keep its time after the one before.
        bip94: bool,
    },
    /// aserti3-2d: each block, exponentially by how far the chain is ahead of its schedule.
    Asert {
        /// Seconds of delay that double the target.
        half_life: u32,
    },
}

/// New coins per block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsidy {
    /// What the first blocks create.
    pub initial: Amount,
    /// Blocks after which the subsidy halves; 0: never.
    pub halving: u32,
}

/// From which heights the soft forks hold.
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
    /// BIP-0141, BIP-0143 and BIP-0147.
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
