//! Which rule a block breaks.

use bitcoin::{Amount, OutPoint, TxMerkleNode, Txid};

use super::ParseError;
use crate::transaction;

/// The rule of a block that is broken, with the values that break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What follows the header is not the transactions of one block.
    #[error("the block cannot be read from byte {offset} on")]
    Malformed {
        /// Where the part starts that could not be read.
        offset: usize,
    },
    /// The header commits to other transactions.
    #[error("the header commits to {claimed}, the transactions give {computed}")]
    MerkleRoot {
        /// What the header says.
        claimed: TxMerkleNode,
        /// What the transactions give.
        computed: TxMerkleNode,
    },
    /// Transactions at the end are repeated in a way that keeps the Merkle root (CVE-2012-2459).
    #[error("transactions are repeated such that the Merkle root stays the same")]
    RepeatedTransactions,
    /// It has no transaction, or too much even without witnesses.
    #[error("{transactions} transactions in {base_size} bytes without witnesses")]
    Length {
        /// How many transactions it has.
        transactions: usize,
        /// Its bytes without witnesses.
        base_size: usize,
    },
    /// The first transaction is no coinbase.
    #[error("the first transaction is no coinbase")]
    NoCoinbase {
        /// Whether some transaction has 64 bytes, so that it could be an inner node of the real block's Merkle tree.
        looks_like_node: bool,
    },
    /// A later transaction is a coinbase too.
    #[error("transaction {index} is a second coinbase")]
    SecondCoinbase {
        /// Its index.
        index: usize,
    },
    /// A transaction breaks a rule.
    #[error("transaction {index} ({txid}): {cause}")]
    Transaction {
        /// Its index.
        index: usize,
        /// Its id.
        txid: Txid,
        /// The rule.
        cause: transaction::Error,
    },
    /// Too many signature operations.
    #[error("signature operations cost {cost} up to transaction {index}")]
    Sigops {
        /// The transaction that passes the limit.
        index: usize,
        /// The cost of all up to it; a lower bound where only the legacy count is known.
        cost: usize,
    },
    /// The coinbase does not begin with the height (BIP-0034).
    #[error("the coinbase does not begin with the height {height}")]
    CoinbaseHeight {
        /// The height.
        height: u32,
    },
    /// The coinbase's witness is not the 32 bytes that the commitment needs (BIP-0141).
    #[error("the coinbase's witness is not one item of 32 bytes")]
    WitnessReserved,
    /// The coinbase commits to other witnesses (BIP-0141).
    #[error("the coinbase commits to other witnesses")]
    WitnessCommitment,
    /// A transaction has a witness and the coinbase does not commit to witnesses (BIP-0141).
    #[error("transaction {index} has a witness that no commitment covers")]
    UnexpectedWitness {
        /// Its index.
        index: usize,
    },
    /// It is heavier than a block may be (BIP-0141).
    #[error("it weighs {weight}")]
    Weight {
        /// Its weight units.
        weight: usize,
    },
    /// A transaction repeats an earlier one that is not wholly spent (BIP-0030).
    #[error("transaction {index} would overwrite {outpoint}")]
    Overwrites {
        /// Its index.
        index: usize,
        /// The output that exists.
        outpoint: OutPoint,
    },
    /// The fees are more than all the money.
    #[error("the fees up to transaction {index} are more than all the money")]
    Fees {
        /// The transaction that passes the limit.
        index: usize,
    },
    /// The coinbase takes more than subsidy and fees.
    #[error("the coinbase takes {} satoshis where {} are allowed", taken.to_sat(), allowed.to_sat())]
    CoinbaseAmount {
        /// What its outputs are worth.
        taken: Amount,
        /// Subsidy and fees.
        allowed: Amount,
    },
}

impl From<&ParseError> for Error {
    fn from(error: &ParseError) -> Self {
        Self::Malformed { offset: error.offset }
    }
}

impl Error {
    /// The reason as Bitcoin Core gives it (BIP-0022); for [`Malformed`](Self::Malformed), which there never gets as far as
    /// the rules, one of ours.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "bad-blk-malformed",
            Self::MerkleRoot { .. } => "bad-txnmrklroot",
            Self::RepeatedTransactions => "bad-txns-duplicate",
            Self::Length { .. } => "bad-blk-length",
            Self::NoCoinbase { .. } => "bad-cb-missing",
            Self::SecondCoinbase { .. } => "bad-cb-multiple",
            Self::Transaction { cause, .. } => cause.reason(),
            Self::Sigops { .. } => "bad-blk-sigops",
            Self::CoinbaseHeight { .. } => "bad-cb-height",
            Self::WitnessReserved => "bad-witness-nonce-size",
            Self::WitnessCommitment => "bad-witness-merkle-match",
            Self::UnexpectedWitness { .. } => "unexpected-witness",
            Self::Weight { .. } => "bad-blk-weight",
            Self::Overwrites { .. } => "bad-txns-BIP30",
            Self::Fees { .. } => "bad-txns-accumulated-fee-outofrange",
            Self::CoinbaseAmount { .. } => "bad-cb-amount",
        }
    }

    /// Whether the same header could belong to a valid block: what was received does not carry the transactions or
    /// witnesses that the header commits to. Then nothing is known of the header's hash; only the sender is to blame.
    /// Bitcoin Core's `BLOCK_MUTATED` and `IsBlockMutated`.
    #[must_use]
    pub fn is_mutation(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::MerkleRoot { .. }
            | Self::RepeatedTransactions
            | Self::WitnessReserved
            | Self::WitnessCommitment
            | Self::UnexpectedWitness { .. } => true,
            Self::NoCoinbase { looks_like_node } => *looks_like_node,
            Self::Length { .. }
            | Self::SecondCoinbase { .. }
            | Self::Transaction { .. }
            | Self::Sigops { .. }
            | Self::CoinbaseHeight { .. }
            | Self::Weight { .. }
            | Self::Overwrites { .. }
            | Self::Fees { .. }
            | Self::CoinbaseAmount { .. } => false,
        }
    }
}
