//! Named changes to a valid next block, each with the rule it breaks.
//!
//! Most keep everything else consistent: the Merkle root, the witness commitment and the proof of work follow the
//! change, so that only the one rule can be the reason. Some are valid: they stand at a limit, where others stand one
//! past it. [`Raw`] changes bytes of the finished block and expects nothing in particular.
//!
//! The builder's branch stays as it is; [`Builder::prepare`] gives it the coins that the mutations spend.
#![expect(clippy::wildcard_enum_match_arm, reason = "each step of making a mutation concerns a few of many")]

mod coinbase;
mod combination;
mod context;
mod header;
mod limit;
mod merkle;
mod plan;
mod raw;
mod script;
mod sigops;
mod transaction;
mod witness;

use bitcoin::Block;
use bitcoin::consensus::encode;

pub use coinbase::Coinbase;
pub use context::Context;
pub use header::Header;
pub use limit::Limit;
pub use merkle::Merkle;
use plan::Plan;
pub use raw::Raw;
pub use script::Script;
pub use transaction::Transaction;
pub use witness::Witness;

use crate::builder::Builder;
use crate::verdict::{Kind, Verdict};

/// A named change to a valid next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing changed.
    None,
    /// Rules of headers.
    Header(Header),
    /// Transactions that the header doesn't commit to.
    Merkle(Merkle),
    /// Rules of the coinbase.
    Coinbase(Coinbase),
    /// Rules of transactions that need no context.
    Transaction(Transaction),
    /// Rules about coins, heights and times.
    Context(Context),
    /// Scripts and signatures.
    Script(Script),
    /// The commitment to witnesses.
    Witness(Witness),
    /// Sizes and counts, at the limit and one past it.
    Limit(Limit),
    /// Bytes of the finished block.
    Raw(Raw),
}

/// What should be said of a mutated block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is valid all the same.
    Valid,
    /// It breaks this rule, as [`Verdict::rule`] names it.
    Invalid(Kind, String),
    /// It is not one block.
    Unreadable,
    /// That depends on the seed.
    Open,
}

impl Expected {
    fn consensus(reason: &str) -> Self {
        Self::Invalid(Kind::Consensus, reason.to_owned())
    }

    fn mutated(reason: &str) -> Self {
        Self::Invalid(Kind::Mutated, reason.to_owned())
    }

    fn header(reason: &str) -> Self {
        Self::Invalid(Kind::Header, reason.to_owned())
    }

    /// Whether a verdict is what was expected.
    #[must_use]
    pub fn allows(&self, verdict: &Verdict) -> bool {
        match self {
            Self::Valid => *verdict == Verdict::Accepted,
            Self::Invalid(kind, reason) => verdict.agrees_with(&Verdict::invalid(*kind, reason)),
            Self::Unreadable => *verdict == Verdict::Unreadable,
            Self::Open => true,
        }
    }
}

/// A changed block as its mutation gives it.
struct Changed {
    raw: Vec<u8>,
    block: Option<Block>,
    original: Option<Block>,
}

impl Changed {
    /// Bytes that may or may not be a block.
    fn raw(raw: Vec<u8>) -> Self {
        Self { block: encode::deserialize(&raw).ok(), raw, original: None }
    }
}

impl From<Block> for Changed {
    fn from(block: Block) -> Self {
        Self { raw: encode::serialize(&block), block: Some(block), original: None }
    }
}

/// A mutated block.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was changed.
    pub mutation: Mutation,
    /// The serialised block.
    pub raw: Vec<u8>,
    /// The block, if it still is one.
    pub block: Option<Block>,
    /// The valid block of the same header, if only its transactions were changed: it must still be welcome.
    pub original: Option<Block>,
    /// What should be said of it.
    pub expected: Expected,
}

impl Mutation {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::None];
        all.extend(Header::ALL.map(Self::Header));
        all.extend(Merkle::ALL.map(Self::Merkle));
        all.extend(Coinbase::ALL.map(Self::Coinbase));
        all.extend(Transaction::ALL.map(Self::Transaction));
        all.extend(Context::ALL.map(Self::Context));
        all.extend(Script::all().into_iter().map(Self::Script));
        all.extend(Witness::ALL.map(Self::Witness));
        all.extend(Limit::ALL.map(Self::Limit));
        all.extend(Raw::ALL.map(Self::Raw));
        all
    }

    /// Makes the next block of the branch with the change in it. `None` if the branch lacks the coins for it.
    pub fn apply(self, builder: &mut Builder) -> Option<Case> {
        let plan = Plan::new(builder);
        let (changed, expected) = match self {
            Self::None => (plan.filled().seal().into(), Expected::Valid),
            Self::Header(header) => (header.apply(plan).into(), header.expected()),
            Self::Merkle(merkle) => (merkle.apply(plan)?, merkle.expected()),
            Self::Coinbase(coinbase) => (coinbase.apply(plan)?.into(), coinbase.expected()),
            Self::Transaction(transaction) => (transaction.apply(plan)?, transaction.expected()),
            Self::Context(context) => (context.apply(plan)?.into(), context.expected()),
            Self::Script(script) => (script.apply(plan)?.into(), script.expected()),
            Self::Witness(witness) => (witness.apply(plan)?, witness.expected()),
            Self::Limit(limit) => (limit.apply(plan)?.into(), limit.expected()),
            Self::Raw(raw) => (Changed::raw(raw.apply(plan)), raw.expected()),
        };
        let Changed { raw, block, original } = changed;
        Some(Case { mutation: self, raw, block, original, expected })
    }
}
