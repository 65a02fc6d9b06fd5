//! The seam between the ledger and whatever verifies scripts.
//!
//! An [`Engine`] is given [`Span`]s: runs of inputs of many transactions, of many blocks. It answers with the inputs
//! that do not hold, so an input that does costs nothing to report. What is computed of a transaction once is
//! [`Engine::Prepared`]: threads share it when they verify parts of one large transaction.
//!
//! Not its job: dividing work among threads, and choosing among failures ([`pool`](crate::pool)).

pub mod kernel;
pub mod split;

use std::ops::Range;

use bitcoin::Txid;
use yap_chain::policy;
use yap_chain::transaction::Transaction;
use yap_chain::verify::{Flags, Job};

use crate::template::Template;

/// Verifies scripts.
pub trait Engine: Send + Sync + 'static {
    /// What is computed of a transaction once, however many inputs and threads share it.
    type Prepared: Send + Sync;

    /// Reads the transaction and computes what its inputs share.
    ///
    /// # Errors
    /// If the job is none that the engine can verify: then none of its inputs is.
    fn prepare(&self, job: &Job) -> Result<Self::Prepared, Reason>;

    /// Verifies every input of `spans`, and gives those that do not hold.
    ///
    /// An engine may stop a span at its first such input, but MUST report that one: which failure is the first of a
    /// block may not depend on how the block was cut into spans.
    fn verify(&self, spans: &[Span<'_, Self::Prepared>]) -> Vec<No>;

    /// How many inputs are best verified in one call. One that verifies each input on its own needs no more than makes
    /// a lock per call cheap; one that verifies signatures together wants hundreds.
    fn appetite(&self) -> usize {
        32
    }
}

/// A run of inputs of one transaction.
#[derive(Debug)]
pub struct Span<'a, P> {
    /// The transaction, its coins and the rules in force.
    pub job: &'a Job,
    /// What [`Engine::prepare`] made of it.
    pub prepared: &'a P,
    /// Which of its inputs to verify.
    pub inputs: Range<usize>,
}

/// An input that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No {
    /// Its span, as an index into the slice of spans.
    pub span: usize,
    /// Its index in the transaction.
    pub input: usize,
    /// Why it does not hold.
    pub reason: Reason,
}

/// Why an input was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The input does not satisfy the script of the coin it spends. Bitcoin Core's library tells no more.
    #[error("its script is not satisfied")]
    Unsatisfied,
    /// It would hold, but for BIP-0066.
    #[error("a signature is not strict DER (BIP-0066)")]
    NotDer,
    /// It would hold, but for BIP-0147.
    #[error("the dummy element of OP_CHECKMULTISIG is not empty (BIP-0147)")]
    Dummy,
    /// It would hold, but for BIP-0065.
    #[error("OP_CHECKLOCKTIMEVERIFY is not satisfied (BIP-0065)")]
    LockTime,
    /// It would hold, but for BIP-0112.
    #[error("OP_CHECKSEQUENCEVERIFY is not satisfied (BIP-0112)")]
    Sequence,
    /// The flags are no set of consensus rules: an unknown bit, or a rule without one that it builds upon (BIP-0141
    /// without BIP-0016).
    #[error("script flags {:#x} are no valid combination", .0.0)]
    Flags(Flags),
    /// The number of coins is not the number of inputs.
    #[error("{inputs} inputs, but {spent} coins that they spend")]
    Coins {
        /// Inputs of the transaction.
        inputs: usize,
        /// Coins in the job.
        spent: usize,
    },
    /// The engine cannot read the transaction.
    #[error("the engine cannot read the transaction")]
    Undecodable,
    /// The script is satisfied, but not in the way that is relayed: a rule of policy.
    #[error(transparent)]
    Policy(policy::script::Error),
    /// The engine failed: nothing is known about the input.
    #[error("the engine failed")]
    Engine,
}

impl Reason {
    /// Whether it says that the transaction breaks the rules. If not, the verifier is at fault, and nobody who sent the
    /// transaction, or a block with it, may be blamed.
    #[must_use]
    pub fn is_invalid(self) -> bool {
        match self {
            Self::Unsatisfied | Self::NotDer | Self::Dummy | Self::LockTime | Self::Sequence => true,
            Self::Policy(_) | Self::Flags(_) | Self::Coins { .. } | Self::Undecodable | Self::Engine => false,
        }
    }

    /// The reason as `submitblock` and `getblocktemplate` proposals give it (BIP-0022), in Bitcoin Core's words. Core
    /// adds the script error in parentheses; its library gives it away in two cases only.
    #[must_use]
    pub fn bip22(self) -> &'static str {
        match self {
            Self::Unsatisfied | Self::LockTime | Self::Sequence => "block-script-verify-flag-failed",
            Self::NotDer => "block-script-verify-flag-failed (Non-canonical DER signature)",
            Self::Dummy => "block-script-verify-flag-failed (Dummy CHECKMULTISIG argument must be zero)",
            Self::Policy(_) | Self::Flags(_) | Self::Coins { .. } | Self::Undecodable | Self::Engine => "rejected",
        }
    }
}

/// The first input that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input {input} of transaction {transaction} ({template}): {reason}")]
pub struct Failure {
    /// The transaction that spends.
    pub transaction: Txid,
    /// The input's index in it.
    pub input: usize,
    /// What kind of coin the input spends.
    pub template: Template,
    /// What is wrong.
    pub reason: Reason,
}

impl Failure {
    /// Names what failed. Decodes the transaction again: failures are rare, and jobs need not carry what only they need.
    pub(crate) fn new(job: &Job, input: usize, reason: Reason) -> Self {
        let transaction = Transaction::parse(job.transaction.as_slice().to_vec())
            .expect("bytes are only made into a `Raw` once they were decoded");
        let template = match (job.spent.get(input), transaction.decoded().input.get(input)) {
            (Some(coin), Some(spender)) => Template::of(coin.script(), &spender.script_sig, &spender.witness),
            _ => Template::Other,
        };
        Self { transaction: transaction.txid(), input, template, reason }
    }
}

/// Verifies one transaction on this thread.
///
/// # Errors
/// The first input that does not hold.
pub fn check<E: Engine>(engine: &E, job: &Job) -> Result<(), Failure> {
    let prepared = engine.prepare(job).map_err(|reason| Failure::new(job, 0, reason))?;
    let span = Span { job, prepared: &prepared, inputs: 0..job.spent.len() };
    match engine.verify(&[span]).into_iter().min_by_key(|no| no.input) {
        Some(no) => Err(Failure::new(job, no.input, no.reason)),
        None => Ok(()),
    }
}

/// Engines know consensus rules only, and refuse BIP-0141 without BIP-0016, as Bitcoin Core does: a witness for a P2SH
/// script would be without meaning.
pub(crate) fn check_flags(flags: Flags) -> Result<(), Reason> {
    let known = Flags::ALL.contains(flags);
    let founded = !flags.contains(Flags::WITNESS) || flags.contains(Flags::P2SH);
    if known && founded { Ok(()) } else { Err(Reason::Flags(flags)) }
}
