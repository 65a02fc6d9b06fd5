//! Why a transaction is not taken.

use bitcoin::{OutPoint, Txid};

use super::entry::Removed;
use crate::policy;
use crate::transaction;

/// The rule by which a transaction is not taken, with the values that break it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It breaks a rule of its own.
    #[error(transparent)]
    Invalid(#[from] transaction::Error),
    /// A coinbase is only valid in a block.
    #[error("a coinbase outside of a block")]
    Coinbase,
    /// It is not relayed, whatever it pays.
    #[error(transparent)]
    NonStandard(#[from] policy::NonStandard),
    /// It spends what it replaces.
    #[error("it spends {0}, with which it conflicts")]
    SpendsConflicting(Txid),
    /// The next block may not have it yet.
    #[error("locked until {lock_time}")]
    NonFinal {
        /// A height if below 500,000,000, a time otherwise.
        lock_time: u32,
    },
    /// An input is not yet as old as its sequence number asks (BIP-0068).
    #[error("input {input} is not old enough for its sequence number {sequence:#010x}")]
    NonFinalInput {
        /// Its index.
        input: usize,
        /// Its sequence number.
        sequence: u32,
    },
    /// It is in the pool.
    #[error("it is in the pool")]
    Present,
    /// It is in the pool with another witness.
    #[error("it is in the pool with another witness")]
    PresentOtherWitness,
    /// A block has it.
    #[error("it is in the chain")]
    Confirmed,
    /// What it spends is not known, or spent.
    #[error("{} of the outputs that it spends are not known or spent", .0.len())]
    MissingInputs(Box<[OutPoint]>),
    /// Signature operations would fill a block before its bytes do.
    #[error("signature operations cost {cost}")]
    Sigops {
        /// Their cost.
        cost: usize,
    },
    /// It pays less than anybody relays.
    #[error("it pays {fee} and relaying costs {least} satoshi")]
    RelayFee {
        /// Satoshi it pays.
        fee: i64,
        /// Satoshi it must pay at least.
        least: i64,
    },
    /// It pays less than what a full pool gave up.
    #[error("it pays {fee}, less than the {least} satoshi that the pool asks now")]
    PoolFee {
        /// Satoshi it pays.
        fee: i64,
        /// Satoshi it must pay at least.
        least: i64,
    },
    /// It breaks a rule of transactions of version 3 (BIP-0431).
    #[error(transparent)]
    Truc(#[from] Truc),
    /// It would replace transactions of too many clusters.
    #[error("it conflicts with transactions of {clusters} clusters")]
    TooManyReplaced {
        /// Clusters with transactions in direct conflict.
        clusters: usize,
        /// Whether one of them is a sibling that spends nothing that it spends.
        sibling: bool,
    },
    /// It pays less than what it would replace, or not enough more to pay for its way.
    #[error("it pays {fee} satoshi, and to replace others costs {least}")]
    ReplacementFee {
        /// Satoshi it pays.
        fee: i64,
        /// Satoshi it must pay at least.
        least: i64,
        /// Whether a sibling would be replaced that spends nothing that it spends.
        sibling: bool,
    },
    /// With it the pool would not be worth more to miners.
    #[error("the pool would not be worth more with it than with what it replaces")]
    NoImprovement,
    /// It would join too many transactions.
    #[error("with its relatives there would be {count} transactions of {vsize} virtual bytes")]
    TooLargeCluster {
        /// Transactions in the cluster.
        count: usize,
        /// Their virtual bytes.
        vsize: u64,
    },
    /// It has dust, which it may only if it pays nothing.
    #[error("output {vout} is dust, though it pays {fee}")]
    PaidDust {
        /// The first output that is dust.
        vout: u32,
        /// What it pays, with what the operator adds.
        fee: i64,
    },
    /// It spends from a transaction with dust, but not the dust.
    #[error("it leaves the dust of {0} unspent")]
    UnspentDust(Txid),
    /// It was taken, and evicted at once.
    #[error("the pool is full of what pays more")]
    Full {
        /// What left on the way, but itself.
        removed: Box<[Removed]>,
    },
    /// The chain has moved on since the transaction was checked: check it again.
    #[error("the chain has changed since it was checked")]
    Stale,
    /// One rule of pairs is broken.
    #[error(transparent)]
    Pair(#[from] Pair),
}

/// The rule of BIP-0431 that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Truc {
    /// Version 3 may only spend unconfirmed outputs of version 3, and other versions only those of others.
    #[error("its version does not go with that of its parent {parent}")]
    Inheritance {
        /// The parent of the wrong version.
        parent: Txid,
    },
    /// Too large.
    #[error("{vsize} virtual bytes are more than {most}")]
    Size {
        /// Its virtual bytes.
        vsize: u64,
        /// What it may have.
        most: u64,
    },
    /// It has more than one unconfirmed ancestor.
    #[error("it has more than one unconfirmed ancestor")]
    Ancestors,
    /// Its parent has a child already.
    #[error("its parent {parent} has a child already")]
    Descendants {
        /// The parent.
        parent: Txid,
    },
}

/// The rule of a parent and a child offered together that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pair {
    /// The second spends nothing of the first.
    #[error("the second does not spend from the first")]
    Unrelated,
    /// Both spend the same output.
    #[error("both spend {0}")]
    Conflict(OutPoint),
    /// The parent pays for itself: it goes first, alone.
    #[error("the parent needs no child to pay for it")]
    ParentSuffices,
    /// A pair that replaces others may not have ancestors in the pool.
    #[error("a pair that replaces others has an ancestor in the pool")]
    Ancestors,
    /// A pair may not replace so much.
    #[error("it conflicts with transactions of {0} clusters")]
    TooManyReplaced(usize),
    /// The pair pays less than what it would replace, or not enough more to pay for its way.
    #[error("the pair pays {fee} satoshi, and to replace others costs {least}")]
    ReplacementFee {
        /// Satoshi it pays.
        fee: i64,
        /// Satoshi it must pay at least.
        least: i64,
    },
    /// The child pays no more for its room than the parent.
    #[error("the child does not raise what its parent pays")]
    ParentPaysMore,
    /// With the pair the pool would not be worth more to miners.
    #[error("the pool would not be worth more with the pair than with what it replaces")]
    NoImprovement,
}

/// What a refusal says about the transaction, and so about who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No block may ever have it: whoever made it broke a rule.
    Invalid,
    /// Not here, or not now.
    Policy,
    /// Not alone, but a child might pay for it.
    Reconsiderable,
    /// Its parents are needed to judge it.
    MissingParents,
    /// Nothing new.
    Known,
    /// Ask once more.
    Again,
}

impl Refusal {
    /// What follows from it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(transaction::Error::Immature { .. }) => Verdict::Policy,
            Self::Invalid(_) | Self::Coinbase | Self::SpendsConflicting(_) => Verdict::Invalid,
            Self::MissingInputs(_) => Verdict::MissingParents,
            Self::Present | Self::PresentOtherWitness | Self::Confirmed => Verdict::Known,
            Self::RelayFee { .. }
            | Self::PoolFee { .. }
            | Self::ReplacementFee { .. }
            | Self::NoImprovement
            | Self::Full { .. } => Verdict::Reconsiderable,
            Self::Stale => Verdict::Again,
            Self::NonFinal { .. }
            | Self::NonFinalInput { .. }
            | Self::NonStandard(_)
            | Self::Sigops { .. }
            | Self::Truc(_)
            | Self::TooManyReplaced { .. }
            | Self::TooLargeCluster { .. }
            | Self::PaidDust { .. }
            | Self::UnspentDust(_)
            | Self::Pair(_) => Verdict::Policy,
        }
    }

    /// The reason as Bitcoin Core gives it; where it has none, one in its manner.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.reason(),
            Self::Coinbase => "coinbase",
            Self::NonStandard(error) => error.reason(),
            Self::SpendsConflicting(_) => "bad-txns-spends-conflicting-tx",
            Self::NonFinal { .. } => "non-final",
            Self::NonFinalInput { .. } => "non-BIP68-final",
            Self::Present => "txn-already-in-mempool",
            Self::PresentOtherWitness => "txn-same-nonwitness-data-in-mempool",
            Self::Confirmed => "txn-already-known",
            Self::MissingInputs(_) => "bad-txns-inputs-missingorspent",
            Self::Sigops { .. } => "bad-txns-too-many-sigops",
            Self::RelayFee { .. } => "min relay fee not met",
            Self::PoolFee { .. } => "mempool min fee not met",
            Self::Truc(_) => "TRUC-violation",
            Self::TooManyReplaced { sibling: false, .. } => "too many potential replacements",
            Self::TooManyReplaced { sibling: true, .. } => {
                "too many potential replacements (including sibling eviction)"
            }
            Self::ReplacementFee { sibling: false, .. } => "insufficient fee",
            Self::ReplacementFee { sibling: true, .. } => "insufficient fee (including sibling eviction)",
            Self::NoImprovement => "replacement-failed",
            Self::TooLargeCluster { .. } => "too-large-cluster",
            Self::PaidDust { .. } => "dust",
            Self::UnspentDust(_) => "missing-ephemeral-spends",
            Self::Full { .. } => "mempool full",
            Self::Stale => "chain-changed",
            Self::Pair(pair) => pair.reason(),
        }
    }
}

impl Pair {
    /// The reason as Bitcoin Core gives it; where it has none, one in its manner.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unrelated => "package-not-child-with-parents",
            Self::Conflict(_) => "conflict-in-package",
            Self::ParentSuffices => "package-parent-suffices",
            Self::Ancestors => "package RBF failed: new transaction cannot have mempool ancestors",
            Self::TooManyReplaced(_) => "package RBF failed: too many potential replacements",
            Self::ReplacementFee { .. } => "package RBF failed: insufficient anti-DoS fees",
            Self::ParentPaysMore => "package RBF failed: package feerate is less than or equal to parent feerate",
            Self::NoImprovement => "package RBF failed: insufficient feerate: does not improve feerate diagram",
        }
    }
}
