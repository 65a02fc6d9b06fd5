//! What admission tells, and how the protocol hears it.

use std::sync::Arc;

use yap_chain::bitcoin::OutPoint;
use yap_chain::mempool::{Entry, Reason, Refusal, Removed, Truc, Verdict};
use yap_chain::policy::NonStandard;
use yap_chain::transaction::Transaction;
use yap_protocol::Input;
use yap_protocol::io::{self, Departure, Judged, PoolChange};
use yap_script::{Failure, Reason as ScriptReason, Template};

use super::Restored;

/// Bitcoin Core's word for a script that does not hold, before a block has it.
const SCRIPT: &str = "mempool-script-verify-flag-failed";

/// Something happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An offered transaction was judged.
    Judged {
        /// The transaction.
        transaction: Arc<Transaction>,
        /// Nothing if it is pending now, or why it is not taken.
        outcome: Result<(), Why>,
    },
    /// The mempool has changed.
    Changed {
        /// What is pending now and was not, parents before children.
        added: Vec<Arc<Entry>>,
        /// What is not pending any more.
        removed: Vec<Removed>,
    },
    /// All of a saved pool was taken in, or could not be.
    Restored(Restored),
}

/// Why a transaction was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// A rule of the ledger or of the mempool.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A script does not hold, or not in the way that is relayed.
    #[error("{failure}")]
    Script {
        /// The first input that fails.
        failure: Failure,
        /// Whether another witness might help.
        witness: bool,
    },
    /// The coins could not be read.
    #[error(transparent)]
    Coins(#[from] yap_store::Error),
    /// Too many transactions are on their way.
    #[error("too many transactions are being judged: offer it again")]
    Busy,
}

impl Why {
    /// What failed is an input of `transaction`.
    pub(super) fn script(failure: Failure, transaction: &Transaction) -> Self {
        let own = transaction.decoded().input.get(failure.input).is_some_and(|input| !input.witness.is_empty());
        let asked = match failure.template {
            Template::P2wpkh
            | Template::P2shP2wpkh
            | Template::P2wsh
            | Template::P2shP2wsh
            | Template::P2trKey
            | Template::P2trScript => true,
            Template::P2pk | Template::P2pkh | Template::P2sh | Template::Multisig | Template::Other => false,
        };
        Self::Script { failure, witness: own || asked }
    }

    /// The reason as Bitcoin Core gives it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Script { .. } => SCRIPT,
            Self::Coins(_) | Self::Busy => "error",
        }
    }

    /// What the protocol is told of `transaction`.
    #[must_use]
    pub fn judged(self, transaction: &Transaction) -> Judged {
        let reason = self.reason();
        match self {
            Self::Refused(refusal) => match refusal.verdict() {
                Verdict::Invalid => Judged::Invalid { reason, witness: false },
                Verdict::Policy => Judged::Policy { reason, witness: by_witness(&refusal, transaction) },
                Verdict::Reconsiderable => Judged::LowFee { reason },
                Verdict::Known => Judged::Known,
                Verdict::MissingParents => Judged::MissingInputs(missing(refusal)),
                Verdict::Again => Judged::Failed,
            },
            Self::Script { failure, witness } if failure.reason.is_invalid() => Judged::Invalid { reason, witness },
            Self::Script { failure, witness } if matches!(failure.reason, ScriptReason::Policy(_)) => {
                Judged::Policy { reason, witness }
            }
            // The verifier is at fault.
            Self::Script { .. } => Judged::Failed,
            Self::Coins(_) | Self::Busy => Judged::Failed,
        }
    }
}

fn missing(refusal: Refusal) -> Vec<OutPoint> {
    if let Refusal::MissingInputs(missing) = refusal { missing.into() } else { Vec::new() }
}

/// Whether a rule of relay might be kept by the same transaction with another witness: it is about the witness, or about
/// a size to which the witness adds. What anyone on the way can change MUST not speak against the txid.
fn by_witness(refusal: &Refusal, transaction: &Transaction) -> bool {
    let by_size = matches!(
        refusal,
        Refusal::NonStandard(NonStandard::Weight { .. } | NonStandard::SigopsCost { .. })
            | Refusal::Sigops { .. }
            | Refusal::TooLargeCluster { .. }
            | Refusal::Truc(Truc::Size { .. })
    );
    let by_form = matches!(refusal, Refusal::NonStandard(error) if error.blames_witness());
    by_form || (by_size && transaction.has_witness())
}

impl Event {
    /// What the protocol is told; nothing of what does not concern it.
    #[must_use]
    pub fn into_input(self) -> Option<Input> {
        match self {
            Self::Judged { transaction, outcome } => {
                let outcome = outcome.map_or_else(|why| why.judged(&transaction), |()| Judged::Accepted);
                Some(Input::Judged { wtxid: transaction.wtxid(), outcome })
            }
            Self::Changed { added, removed } => Some(Input::Pool(PoolChange {
                added: added.iter().map(|entry| Arc::clone(entry.transaction())).collect(),
                removed: removed.into_iter().map(left).collect(),
            })),
            Self::Restored(_) => None,
        }
    }
}

fn left(Removed { entry, reason }: Removed) -> io::Removed {
    let why = match reason {
        Reason::Confirmed => Departure::Confirmed,
        Reason::Conflict { .. } => Departure::Conflicted,
        Reason::Replaced { .. } => Departure::Replaced,
        Reason::Evicted | Reason::ClusterLimit => Departure::Evicted,
        Reason::Expired => Departure::Expired,
        Reason::Reorganised(_) => Departure::Reorganised,
        _ => Departure::Evicted,
    };
    io::Removed { transaction: Arc::clone(entry.transaction()), why }
}
