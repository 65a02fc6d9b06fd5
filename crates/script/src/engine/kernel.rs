//! Bitcoin Core's own script interpreter, through `libbitcoinkernel`.
//!
//! The library checks some of its arguments with assertions that end the process. All of them are checked here first:
//! flags, the number of coins, and the index of an input.

use std::fmt;

use bitcoinkernel::prelude::{TransactionExt, TxOutExt};
use bitcoinkernel::{
    KernelError, PrecomputedTransactionData, ScriptPubkey, ScriptVerifyError, Transaction, TxOut, verify,
};
use yap_chain::coin::Coin;
use yap_chain::verify::{Flags, Job};

use super::{Engine, No, Reason, Span, check_flags};

/// Bitcoin Core's engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel(());

/// A transaction in Core's memory, with the hashes that its inputs share.
pub struct Prepared {
    transaction: Transaction,
    spent: Vec<TxOut>,
    shared: PrecomputedTransactionData,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("inputs", &self.spent.len()).finish_non_exhaustive()
    }
}

impl Kernel {
    /// The engine. It has no state.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl Engine for Kernel {
    type Prepared = Prepared;

    fn prepare(&self, job: &Job) -> Result<Prepared, Reason> {
        check_flags(job.flags)?;
        let transaction = Transaction::new(job.transaction.as_slice()).map_err(|_| Reason::Undecodable)?;
        let (inputs, spent) = (transaction.input_count(), job.spent.len());
        if inputs != spent {
            return Err(Reason::Coins { inputs, spent });
        }
        let spent = job.spent.iter().map(output).collect::<Result<Vec<_>, _>>()?;
        let shared = PrecomputedTransactionData::new(&transaction, &spent).map_err(|_| Reason::Engine)?;
        Ok(Prepared { transaction, spent, shared })
    }

    fn verify(&self, spans: &[Span<'_, Prepared>]) -> Vec<No> {
        let first_no = |(span, run): (usize, &Span<'_, Prepared>)| {
            run.inputs.clone().find_map(|input| {
                let reason = verify_input(run.prepared, input, run.job.flags).err()?;
                Some(No { span, input, reason })
            })
        };
        spans.iter().enumerate().filter_map(first_no).collect()
    }
}

/// A coin in Core's memory.
fn output(coin: &Coin) -> Result<TxOut, Reason> {
    let script = ScriptPubkey::new(coin.script().as_bytes()).map_err(|_| Reason::Engine)?;
    // On the wire an amount is signed: the same bits.
    Ok(TxOut::new(&script, coin.value.to_sat().cast_signed()))
}

fn verify_input(prepared: &Prepared, input: usize, flags: Flags) -> Result<(), Reason> {
    let result = execute(prepared, input, flags);
    if result == Err(Reason::Unsatisfied) { Err(explain(prepared, input, flags)) } else { result }
}

fn execute(prepared: &Prepared, input: usize, flags: Flags) -> Result<(), Reason> {
    let Prepared { transaction, spent, shared } = prepared;
    let coin = spent.get(input).ok_or_else(|| coins(prepared))?;
    match verify(&coin.script_pubkey(), Some(coin.value()), transaction, input, Some(flags.0), shared) {
        Ok(()) => Ok(()),
        Err(KernelError::ScriptVerify(error)) => Err(match error {
            ScriptVerifyError::Invalid => Reason::Unsatisfied,
            ScriptVerifyError::InvalidFlags | ScriptVerifyError::InvalidFlagsCombination => Reason::Flags(flags),
            ScriptVerifyError::TxInputIndex | ScriptVerifyError::SpentOutputsRequired => coins(prepared),
        }),
        Err(
            KernelError::Internal(_)
            | KernelError::CStringCreationFailed(_)
            | KernelError::InvalidOptions(_)
            | KernelError::OutOfBounds
            | KernelError::SerializationFailed
            | KernelError::MismatchedOutputsSize
            | KernelError::InvalidLength { .. },
        ) => Err(Reason::Engine),
    }
}

/// Rules that forbid one thing each, so that an input that holds without one has done just that.
const NARROW: [(Flags, Reason); 4] = [
    (Flags::DERSIG, Reason::NotDer),
    (Flags::NULLDUMMY, Reason::Dummy),
    (Flags::CHECKLOCKTIMEVERIFY, Reason::LockTime),
    (Flags::CHECKSEQUENCEVERIFY, Reason::Sequence),
];

/// Why an input does not hold. The library does not say, but it can be asked again with fewer rules: once if none of
/// the narrow ones is to blame, as with a wrong signature, so that a bad input costs twice what a good one does.
fn explain(prepared: &Prepared, input: usize, flags: Flags) -> Reason {
    let holds_without = |rule: Flags| execute(prepared, input, Flags(flags.0 & !rule.0)).is_ok();
    let narrow = NARROW.iter().fold(Flags::NONE, |all, (rule, _)| all.with(*rule));
    if !holds_without(narrow) {
        return Reason::Unsatisfied;
    }
    let broken = NARROW.into_iter().find(|(rule, _)| holds_without(*rule));
    broken.map_or(Reason::Unsatisfied, |(_, reason)| reason)
}

fn coins(Prepared { transaction, spent, .. }: &Prepared) -> Reason {
    Reason::Coins { inputs: transaction.input_count(), spent: spent.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoinkernel::VERIFY_ALL;

    #[test]
    fn flags_have_the_values_of_the_library() {
        assert_eq!(Flags::ALL.0, VERIFY_ALL);
        for (ours, theirs) in [
            (Flags::NONE, bitcoinkernel::VERIFY_NONE),
            (Flags::P2SH, bitcoinkernel::VERIFY_P2SH),
            (Flags::DERSIG, bitcoinkernel::VERIFY_DERSIG),
            (Flags::NULLDUMMY, bitcoinkernel::VERIFY_NULLDUMMY),
            (Flags::CHECKLOCKTIMEVERIFY, bitcoinkernel::VERIFY_CHECKLOCKTIMEVERIFY),
            (Flags::CHECKSEQUENCEVERIFY, bitcoinkernel::VERIFY_CHECKSEQUENCEVERIFY),
            (Flags::WITNESS, bitcoinkernel::VERIFY_WITNESS),
            (Flags::TAPROOT, bitcoinkernel::VERIFY_TAPROOT),
        ] {
            assert_eq!(ours.0, theirs);
            let founded = !ours.contains(Flags::WITNESS);
            assert_eq!(check_flags(ours).is_ok(), founded, "{ours:?}");
        }
    }

    #[test]
    fn flags_that_are_no_set_of_rules_are_refused() {
        assert_eq!(check_flags(Flags::P2SH.with(Flags::WITNESS)), Ok(()));
        let policy = Flags(1 << 1); // STRICTENC
        assert_eq!(check_flags(Flags::ALL.with(policy)), Err(Reason::Flags(Flags(Flags::ALL.0 | 2))));
        assert_eq!(check_flags(Flags::WITNESS), Err(Reason::Flags(Flags::WITNESS)));
    }
}
