//! What a payment may be told, what it gives, and why there is none.

use std::sync::Arc;

use bitcoin::{Amount, Denomination, FeeRate, OutPoint, Psbt, ScriptBuf};
use yap_chain::address;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;

use super::KeyError;
use crate::keychain::Kind;

/// Most outputs that one payment may be asked for.
pub const MAX_RECIPIENTS: usize = 1_000;

/// Highest fee of a payment: 0.1 coin, as Bitcoin Core's `-maxtxfee`.
pub const MAX_FEE: Amount = Amount::from_sat(10_000_000);

/// Highest fee rate that a payment may be asked for: 0.1 coin per thousand virtual bytes, as Bitcoin Core's
/// `maxfeerate`.
pub const MAX_FEERATE: FeeRate = FeeRate::from_sat_per_kwu(2_500_000);

/// Who is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Their output script.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// Whether the fee (or an equal part of it) is taken from this amount.
    pub subtract_fee: bool,
}

impl Recipient {
    /// Whoever has that address.
    ///
    /// # Errors
    /// [`address::Error`], which tells a mistyped address from one of another chain.
    pub fn at(text: &str, amount: Amount, spec: &Spec) -> Result<Self, address::Error> {
        Ok(Self { script: address::parse(text, &spec.addresses)?, amount, subtract_fee: false })
    }
}

/// How a payment is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fee rate.
    pub rate: FeeRate,
    /// The least fee rate that the mempool takes now.
    pub least_rate: FeeRate,
    /// BIP-0125: say that it may be replaced by one with a higher fee.
    pub replaceable: bool,
    /// These coins are spent in any case.
    pub coins: Vec<OutPoint>,
    /// No other coins are spent.
    pub only_coins: bool,
    /// Coins of others' pending payments may be spent too.
    pub unsafe_coins: bool,
    /// Blocks that a coin must have, its own and those above, unless it is one of `coins`.
    pub least_confirmations: u32,
    /// Which kind of address gets the change, unless `change_script` says it all; a kind like that of who is paid, if it is
    /// not said.
    pub change: Option<Kind>,
    /// Where change goes.
    pub change_script: Option<ScriptBuf>,
    /// Where among the outputs change stands; at a place that nobody can guess, if it is not said.
    pub change_position: Option<u32>,
    /// The lock time; the height of the tip, against fee sniping, if it is not said.
    pub lock_time: Option<u32>,
    /// Note of the user.
    pub comment: Option<String>,
    /// Who is paid, in the user's words.
    pub to: Option<String>,
}

impl Options {
    /// The usual payment at that fee rate: it can be replaced, and its change looks like what is paid.
    #[must_use]
    pub fn at(rate: FeeRate) -> Self {
        Self {
            rate,
            least_rate: FeeRate::ZERO,
            replaceable: true,
            coins: Vec::new(),
            only_coins: false,
            unsafe_coins: false,
            least_confirmations: 0,
            change: None,
            change_script: None,
            change_position: None,
            lock_time: None,
            comment: None,
            to: None,
        }
    }
}

/// A payment that is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The transaction and what signers must know (BIP-0174).
    pub psbt: Psbt,
    /// Its fee.
    pub fee: Amount,
    /// Place of the change among the outputs.
    pub change: Option<u32>,
}

/// A payment that is ready to be sent. The wallet has noted it, and spends its coins no second time; if the mempool
/// refuses it, [`Wallet::abandon`](crate::Wallet::abandon) releases them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Its fee.
    pub fee: Amount,
    /// Place of the change among the outputs.
    pub change: Option<u32>,
}

/// Why nothing is paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayError {
    /// Nobody is paid.
    #[error("nobody to pay was named")]
    Empty,
    /// There are more than [`MAX_RECIPIENTS`].
    #[error("{0} recipients are too many for one payment: at most {MAX_RECIPIENTS}")]
    TooMany(usize),
    /// There are more coins than can exist.
    #[error("the amounts are more than all coins there can be")]
    Amount,
    /// Too little money.
    #[error(
        "too little money: the payment needs {} with its fee, and {} can be spent{}",
        coins(*needs), coins(*has), rest(*pending, *immature)
    )]
    TooLittle {
        /// What can be spent.
        has: Amount,
        /// What the payment and its fee need, at least.
        needs: Amount,
        /// What comes with pending payments of others.
        pending: Amount,
        /// What was mined and is too young.
        immature: Amount,
    },
    /// An output so small that spending it costs more than it is worth: nodes don't relay it.
    #[error(
        "{} is too little for output {index}: nodes don't relay less than {} there (dust)",
        coins(*amount), coins(*least)
    )]
    Dust {
        /// Which recipient, from 0.
        index: usize,
        /// What it would get.
        amount: Amount,
        /// The least that it can get.
        least: Amount,
    },
    /// The fee is more than the amount that it is taken from.
    #[error("the fee of {} can't be taken from an amount of {}", coins(*fee), coins(*amount))]
    FeeExceedsAmount {
        /// The fee.
        fee: Amount,
        /// The amount.
        amount: Amount,
    },
    /// The fee rate is below what the mempool takes.
    #[error("a fee rate of {} sat/vB is too low: nodes relay from {} sat/vB on", vbyte(*rate), vbyte(*least))]
    RateTooLow {
        /// What was asked for.
        rate: FeeRate,
        /// The least.
        least: FeeRate,
    },
    /// The fee rate is above [`MAX_FEERATE`].
    #[error("a fee rate of {} sat/vB is surely a mistake: at most {} sat/vB are paid", vbyte(*rate), vbyte(MAX_FEERATE))]
    RateTooHigh {
        /// What was asked for.
        rate: FeeRate,
    },
    /// The fee is above [`MAX_FEE`].
    #[error(
        "a fee of {} is surely a mistake: at most {} are paid. Pay in several transactions, or at a lower rate",
        coins(*fee), coins(MAX_FEE)
    )]
    FeeTooHigh {
        /// The fee.
        fee: Amount,
    },
    /// The transaction would be larger than nodes relay.
    #[error("the transaction would have {weight} weight units, and nodes relay at most {most}: pay less, or in parts")]
    TooLarge {
        /// Its weight units.
        weight: u64,
        /// Most that are relayed.
        most: u64,
    },
    /// A coin that was named can't be spent.
    #[error("the coin {0} is not the wallet's, or is spent or too young")]
    NoCoin(OutPoint),
    /// A note is longer than [`MAX_LABEL`](crate::MAX_LABEL).
    #[error("a comment of {0} bytes is too long: at most {most}", most = crate::MAX_LABEL)]
    LongNote(usize),
    /// Keys are not at hand.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// No address for change is left.
    #[error(transparent)]
    Change(#[from] crate::Exhausted),
    /// A signature is missing: a coin that was named is of another wallet.
    #[error("the payment can't be signed by this wallet alone")]
    Unsigned,
}

/// An amount without a unit: what coins are called is the chain's affair.
fn coins(amount: Amount) -> String {
    amount.to_string_in(Denomination::Bitcoin)
}

/// What may come, for people who wonder where their money is.
fn rest(pending: Amount, immature: Amount) -> String {
    let mut text = String::new();
    if pending > Amount::ZERO {
        text.push_str(&format!("; {} of others' payments wait for a block", coins(pending)));
    }
    if immature > Amount::ZERO {
        text.push_str(&format!("; {} were mined and can be spent after 100 blocks", coins(immature)));
    }
    text
}

/// Satoshis per virtual byte, with three decimals.
pub(super) fn vbyte(rate: FeeRate) -> String {
    let thousandths = rate.to_sat_per_kwu().saturating_mul(4);
    let (whole, part) = (thousandths.checked_div(1_000).unwrap_or(0), thousandths.checked_rem(1_000).unwrap_or(0));
    let text = format!("{whole}.{part:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_without_the_unit_of_another_chain() {
        let sats = Amount::from_sat;
        let (has, needs, immature) = (sats(100_000_000), sats(150_000_013), sats(10_000_000_000));
        let error = PayError::TooLittle { has, needs, pending: Amount::ZERO, immature };
        let told = "too little money: the payment needs 1.50000013 with its fee, and 1 can be spent; 100 were mined and can \
                    be spent after 100 blocks";
        assert_eq!(error.to_string(), told);
    }
}
