//! What a PSBT still needs.

use bitcoin::psbt::Psbt;
use bitcoin::{Amount, TxOut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::connect::is_unspendable;

use super::super::super::types::{Btc, aside};
use super::combine::{finalize, is_final};
use super::{read, spent};
use crate::error::Error;
use crate::method::{Context, Method};

/// Tells what a PSBT still needs, and what its transaction will pay.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AnalyzePsbt {
    /// The PSBT in base 64.
    psbt: String,
}

/// What is needed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// It is no transaction: start again.
    Creator,
    /// What it spends must be added.
    Updater,
    /// Signatures must be added.
    Signer,
    /// Signatures must be put in place.
    Finalizer,
    /// It is whole.
    Extractor,
}

/// What a PSBT still needs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Analysis {
    /// For each input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<Input>,
    /// Virtual bytes of the transaction, if no signature is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_vsize: Option<usize>,
    /// Coins for 1,000 virtual bytes, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_feerate: Option<Btc>,
    /// What it pays, if what it spends is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Btc>,
    /// What is needed next.
    next: Role,
    /// Why it can't become a transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What an input still needs.
#[derive(Debug, Serialize, JsonSchema)]
struct Input {
    /// Whether what it spends is known.
    has_utxo: bool,
    /// Whether it is whole.
    is_final: bool,
    /// What is needed next.
    next: Role,
}

impl Method for AnalyzePsbt {
    known_as!("analyzepsbt", RawTransactions, Open);
    type Reply = Analysis;

    async fn call(self, _: Context) -> Result<Analysis, Error> {
        let psbt = read(&self.psbt)?;
        aside(move || Ok(analysis(&psbt))).await
    }
}

fn analysis(psbt: &Psbt) -> Analysis {
    let count = psbt.inputs.len();
    let coins: Vec<Option<&TxOut>> = (0..count).map(|index| spent(psbt, index)).collect();
    if let Some(error) = impossible(psbt, &coins) {
        let (inputs, next, error) = (Vec::new(), Role::Creator, Some(error));
        return Analysis { inputs, estimated_vsize: None, estimated_feerate: None, fee: None, next, error };
    }
    let mut whole = psbt.clone();
    let complete = finalize(&mut whole);
    let inputs: Vec<Input> = psbt
        .inputs
        .iter()
        .zip(&whole.inputs)
        .zip(&coins)
        .map(|((input, after), coin)| Input {
            has_utxo: coin.is_some(),
            is_final: is_final(input),
            next: match (is_final(input), coin, is_final(after)) {
                (true, ..) => Role::Extractor,
                (false, None, _) => Role::Updater,
                (false, Some(_), true) => Role::Finalizer,
                (false, Some(_), false) => Role::Signer,
            },
        })
        .collect();
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.map(Amount::to_sat).fold(0, u64::saturating_add);
    let paid = sum(&mut psbt.unsigned_tx.output.iter().map(|output| output.value));
    let spent = coins.iter().all(Option::is_some).then(|| sum(&mut coins.iter().flatten().map(|coin| coin.value)));
    let fee = spent.and_then(|spent| spent.checked_sub(paid)).and_then(|fee| i64::try_from(fee).ok());
    let vsize = (complete && fee.is_some()).then(|| whole.extract_tx_unchecked_fee_rate().vsize());
    let rate = fee.zip(vsize).and_then(|(fee, vsize)| fee.saturating_mul(1000).checked_div(i64::try_from(vsize).ok()?));
    Analysis {
        next: inputs.iter().map(|input| input.next).min().unwrap_or(Role::Extractor),
        inputs,
        estimated_vsize: vsize,
        estimated_feerate: rate.map(Btc::from_sat),
        fee: fee.map(Btc::from_sat),
        error: None,
    }
}

/// Why no signature makes it a transaction.
fn impossible(psbt: &Psbt, coins: &[Option<&TxOut>]) -> Option<String> {
    for (index, coin) in coins.iter().enumerate().filter_map(|(index, coin)| Some((index, (*coin)?))) {
        if coin.value > Amount::MAX_MONEY {
            return Some(format!("PSBT is not valid. Input {index} has invalid value"));
        }
        if is_unspendable(&coin.script_pubkey) {
            return Some(format!("PSBT is not valid. Input {index} spends unspendable output"));
        }
    }
    let wrong = psbt.unsigned_tx.output.iter().any(|output| output.value > Amount::MAX_MONEY);
    wrong.then(|| "PSBT is not valid. Output amount invalid".to_owned())
}
