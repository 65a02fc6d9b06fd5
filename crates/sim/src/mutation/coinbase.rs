//! Rules of the coinbase.

use bitcoin::script::Builder as Script;
use bitcoin::{Amount, Block, ScriptBuf, Sequence, absolute};

use super::{Expected, Plan};

/// A change to the coinbase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coinbase {
    /// The first transaction is none.
    Missing,
    /// There is another behind it.
    Second,
    /// It stands behind another transaction.
    NotFirst,
    /// It has a second input, which makes it none.
    TwoInputs,
    /// Its input is of the null hash but not of the last index, which makes it none.
    IndexNotLast,
    /// It has no outputs.
    NoOutputs,
    /// It names the height of the next block (BIP-0034).
    HeightAhead,
    /// It names no height.
    HeightMissing,
    /// It names the height with a needless byte.
    HeightPadded,
    /// Its script is one byte.
    ScriptShort,
    /// Its script is 100 bytes: valid.
    ScriptLongest,
    /// Its script is 101 bytes.
    ScriptLong,
    /// It claims one satoshi too much.
    ClaimsOneMore,
    /// It claims one satoshi too much, where there are fees.
    ClaimsOneMoreThanFees,
    /// It claims all fees: valid.
    ClaimsFees,
    /// It claims nothing: valid.
    ClaimsNothing,
    /// It claims more than there can ever be.
    ClaimsTooLarge,
    /// Its lock time is not reached.
    NotFinal,
    /// Its lock time is not reached, and its sequence says that this doesn't matter: valid.
    NotFinalButFinalSequence,
}

impl Coinbase {
    pub(super) const ALL: [Self; 19] = [
        Self::Missing,
        Self::Second,
        Self::NotFirst,
        Self::TwoInputs,
        Self::IndexNotLast,
        Self::NoOutputs,
        Self::HeightAhead,
        Self::HeightMissing,
        Self::HeightPadded,
        Self::ScriptShort,
        Self::ScriptLongest,
        Self::ScriptLong,
        Self::ClaimsOneMore,
        Self::ClaimsOneMoreThanFees,
        Self::ClaimsFees,
        Self::ClaimsNothing,
        Self::ClaimsTooLarge,
        Self::NotFinal,
        Self::NotFinalButFinalSequence,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Block> {
        let one = Amount::from_sat(1);
        let pays_fee = matches!(self, Self::ClaimsOneMoreThanFees | Self::ClaimsFees);
        let mut payment = plan.payment()?;
        let fee = payment.value().min(Amount::from_sat(1000));
        if pays_fee {
            payment.outputs[0].value -= fee;
        }
        plan.pay(&payment);
        let height = plan.height;
        match self {
            Self::TwoInputs => {
                let second = plan.coinbase.input[0].clone();
                plan.coinbase.input.push(second);
            }
            Self::IndexNotLast => plan.coinbase.input[0].previous_output.vout = 0,
            Self::NoOutputs => {
                plan.coinbase.output.clear();
                plan.commitment = false;
            }
            Self::HeightAhead => {
                plan.coinbase.input[0].script_sig =
                    Script::new().push_int(i64::from(height) + 1).push_slice([7; 4]).into_script();
            }
            Self::HeightMissing => plan.coinbase.input[0].script_sig = Script::new().push_slice([7; 9]).into_script(),
            Self::HeightPadded => {
                let [a, b, c, _] = height.to_le_bytes();
                plan.coinbase.input[0].script_sig = Script::new().push_slice([a, b, c, 0]).into_script();
            }
            Self::ScriptShort => plan.coinbase.input[0].script_sig = ScriptBuf::from(vec![0x51]),
            Self::ScriptLongest | Self::ScriptLong => {
                let length = if self == Self::ScriptLong { 101 } else { 100 };
                let mut script = Script::new().push_int(i64::from(height)).into_bytes();
                script.resize(length, 0);
                plan.coinbase.input[0].script_sig = ScriptBuf::from(script);
            }
            Self::ClaimsOneMore => plan.claim(one),
            Self::ClaimsOneMoreThanFees => plan.claim(fee + one),
            Self::ClaimsFees => plan.claim(fee),
            Self::ClaimsNothing => plan.coinbase.output[0].value = Amount::ZERO,
            Self::ClaimsTooLarge => plan.coinbase.output[0].value = Amount::MAX_MONEY + one,
            Self::NotFinal | Self::NotFinalButFinalSequence => {
                plan.coinbase.lock_time = absolute::LockTime::from_consensus(height);
                if self == Self::NotFinal {
                    plan.coinbase.input[0].sequence = Sequence::ZERO;
                }
            }
            Self::Missing | Self::Second | Self::NotFirst => {}
        }
        // No random transactions: fees that they pay and nobody claims would leave room for one satoshi.
        Some(plan.seal_with(|block| self.rearrange(block)))
    }

    /// Changes which transactions stand where.
    fn rearrange(self, block: &mut Block) {
        match self {
            Self::Missing => drop(block.txdata.remove(0)),
            Self::Second => {
                let mut second = block.txdata[0].clone();
                second.input[0].witness.clear();
                block.txdata.push(second);
            }
            Self::NotFirst => block.txdata.swap(0, 1),
            _ => return,
        }
        block.header.merkle_root = block.compute_merkle_root().expect("a transaction is left");
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::Missing | Self::NotFirst | Self::TwoInputs | Self::IndexNotLast => {
                Expected::consensus("bad-cb-missing")
            }
            Self::NoOutputs => Expected::consensus("bad-txns-vout-empty"),
            Self::Second => Expected::consensus("bad-cb-multiple"),
            Self::HeightAhead | Self::HeightMissing | Self::HeightPadded => Expected::consensus("bad-cb-height"),
            Self::ScriptShort | Self::ScriptLong => Expected::consensus("bad-cb-length"),
            Self::ClaimsOneMore | Self::ClaimsOneMoreThanFees => Expected::consensus("bad-cb-amount"),
            Self::ClaimsTooLarge => Expected::consensus("bad-txns-vout-toolarge"),
            Self::NotFinal => Expected::consensus("bad-txns-nonfinal"),
            Self::ScriptLongest | Self::ClaimsFees | Self::ClaimsNothing | Self::NotFinalButFinalSequence => {
                Expected::Valid
            }
        }
    }
}
