//! Paying more for what is not confirmed (BIP-0125).

use bitcoin::{Amount, FeeRate, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::{Options, Wallet};

use super::super::types::Btc;
use super::rate::{SatPerVb, Wish};
use super::send::Drafted;
use super::{submit, txid, with};
use crate::error::Error;
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<BumpFee>().with::<PsbtBumpFee>()
}

/// How the fee is raised.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Raise {
    /// Blocks within which it shall be mined.
    #[serde(alias = "confTarget")]
    conf_target: Option<i64>,
    /// Fee rate: satoshis for one virtual byte; 5 more than before if neither this nor `conf_target` is given.
    fee_rate: Option<SatPerVb>,
    /// Whether the new one may be replaced, too; it may, if left out.
    replaceable: Option<bool>,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
}

impl Raise {
    /// The new rate, if it was asked for, and how to pay.
    async fn read(self, context: &Context) -> Result<(Option<FeeRate>, Options), Error> {
        let asked = self.fee_rate.is_some() || self.conf_target.is_some();
        let wish = Wish {
            rate: self.fee_rate,
            target: self.conf_target,
            mode: self.estimate_mode,
            replaceable: self.replaceable,
        };
        let options = wish.options(context).await?;
        Ok((asked.then_some(options.rate), options))
    }
}

/// The fee of a transaction of the wallet.
fn fee(wallet: &Wallet, txid: &Txid) -> Amount {
    wallet.transaction(txid).and_then(|entry| entry.fee).unwrap_or(Amount::ZERO)
}

/// Replaces a payment that is not confirmed by one with a higher fee.
#[derive(Debug, Deserialize, JsonSchema)]
struct BumpFee {
    /// Its id.
    txid: String,
    /// How the fee is raised.
    #[serde(default)]
    options: Raise,
}

/// What took the place of a payment.
#[derive(Debug, Serialize, JsonSchema)]
struct Bumped {
    /// Its id.
    txid: String,
    /// The fee before.
    origfee: Btc,
    /// Its fee.
    fee: Btc,
    /// What went wrong on the way: nothing.
    errors: Vec<String>,
}

impl Method for BumpFee {
    known_as!("bumpfee", Wallet, Cookie);
    type Reply = Bumped;

    async fn call(self, context: Context) -> Result<Bumped, Error> {
        let old = txid(&self.txid)?;
        let (rate, options) = self.options.read(&context).await?;
        let origfee = with(&context, move |wallet| Ok(fee(wallet, &old))).await?;
        let payment = submit(&context, move |wallet| Ok(wallet.bump(old, rate, &options)?)).await?;
        Ok(Bumped {
            txid: payment.transaction.txid().to_string(),
            origfee: origfee.into(),
            fee: payment.fee.into(),
            errors: Vec::new(),
        })
    }
}

/// Drafts the replacement of a payment by one with a higher fee, as PSBT that is yet to be signed.
#[derive(Debug, Deserialize, JsonSchema)]
struct PsbtBumpFee {
    /// Its id.
    txid: String,
    /// How the fee is raised.
    #[serde(default)]
    options: Raise,
}

/// What may take the place of a payment.
#[derive(Debug, Serialize, JsonSchema)]
struct DraftedBump {
    /// It, in base 64.
    psbt: String,
    /// The fee before.
    origfee: Btc,
    /// Its fee.
    fee: Btc,
    /// What went wrong on the way: nothing.
    errors: Vec<String>,
}

impl Method for PsbtBumpFee {
    known_as!("psbtbumpfee", Wallet, Cookie);
    type Reply = DraftedBump;

    async fn call(self, context: Context) -> Result<DraftedBump, Error> {
        let old = txid(&self.txid)?;
        let (rate, options) = self.options.read(&context).await?;
        with(&context, move |wallet| {
            let origfee = fee(wallet, &old).into();
            let Drafted { psbt, fee, .. } = Drafted::of(&wallet.fund_bump(old, rate, &options)?);
            Ok(DraftedBump { psbt, origfee, fee, errors: Vec::new() })
        })
        .await
    }
}
