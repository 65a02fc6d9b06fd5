//! Rules of transactions that need no context.

use bitcoin::consensus::encode;
use bitcoin::{Amount, Block, OutPoint};

use super::{Changed, Expected, Plan};

/// A change to one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// No inputs and no outputs.
    NoInputs,
    /// No outputs.
    NoOutputs,
    /// An output of minus one satoshi.
    OutputNegative,
    /// An output above all money there can be (CVE-2010-5139).
    OutputTooLarge,
    /// Outputs that are above all money together (CVE-2010-5139).
    OutputsTooLarge,
    /// The same input twice (CVE-2018-17144).
    InputRepeated,
    /// A null input beside another one.
    InputNull,
}

impl Transaction {
    pub(super) const ALL: [Self; 7] = [
        Self::NoInputs,
        Self::NoOutputs,
        Self::OutputNegative,
        Self::OutputTooLarge,
        Self::OutputsTooLarge,
        Self::InputRepeated,
        Self::InputNull,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Changed> {
        let mut payment = plan.payment()?;
        match self {
            Self::NoOutputs => payment.outputs.clear(),
            Self::OutputNegative => payment.outputs[0].value = Amount::from_sat(u64::MAX),
            Self::OutputTooLarge => payment.outputs[0].value = Amount::MAX_MONEY + Amount::from_sat(1),
            Self::OutputsTooLarge => {
                payment.outputs[0].value = Amount::MAX_MONEY;
                payment.outputs.push(payment.outputs[0].clone());
            }
            Self::InputRepeated => {
                payment.inputs.push(payment.inputs[0].clone());
                payment.sequences.push(payment.sequences[0]);
            }
            Self::InputNull => {
                let (_, coin) = payment.inputs[0].clone();
                payment.inputs.push((OutPoint::null(), coin));
                payment.sequences.push(payment.sequences[0]);
            }
            Self::NoInputs => {}
        }
        plan.pay(&payment);
        if self == Self::NoInputs {
            plan.last().input.clear();
            plan.last().output.clear();
            let block = plan.seal();
            return Some(Changed { raw: without_marker(&block), block: Some(block), original: None });
        }
        Some(plan.filled().seal().into())
    }

    pub(super) fn expected(self) -> Expected {
        Expected::consensus(match self {
            Self::NoInputs => "bad-txns-vin-empty",
            Self::NoOutputs => "bad-txns-vout-empty",
            Self::OutputNegative => "bad-txns-vout-negative",
            Self::OutputTooLarge => "bad-txns-vout-toolarge",
            Self::OutputsTooLarge => "bad-txns-txouttotal-toolarge",
            Self::InputRepeated => "bad-txns-inputs-duplicate",
            Self::InputNull => "bad-txns-prevout-null",
        })
    }
}

/// The block with its last transaction, which has neither inputs nor outputs, written as before BIP-0144: Core reads
/// the second zero as "no flags".
fn without_marker(block: &Block) -> Vec<u8> {
    let mut raw = encode::serialize(block);
    let last = block.txdata.last().expect("the transaction without inputs");
    raw.truncate(raw.len() - encode::serialize(last).len());
    raw.extend_from_slice(&last.version.0.to_le_bytes());
    raw.extend_from_slice(&[0, 0]);
    raw.extend_from_slice(&last.lock_time.to_consensus_u32().to_le_bytes());
    raw
}
