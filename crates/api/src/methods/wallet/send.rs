//! Payments with all that can be told of them, sent or as PSBT.

use bitcoin::TxOut;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yap_wallet::{Draft, Options, Payment, Recipient};

use super::super::raw;
use super::super::types::Btc;
use super::rate::{SatPerVb, Wish};
use super::{addresses, script, submit, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<Send>().with::<WalletCreateFundedPsbt>()
}

/// How a payment is made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Whether other coins are added where `inputs` are too little; they are, unless `inputs` are given.
    pub(super) add_inputs: Option<bool>,
    /// Coins that are spent in any case: objects of `txid` and `vout`.
    pub(super) inputs: Vec<Value>,
    /// Whether coins of others' pending payments may be spent.
    include_unsafe: bool,
    /// Confirmations that a coin must have.
    minconf: u32,
    /// Where change goes.
    #[serde(alias = "changeAddress")]
    change_address: Option<String>,
    /// Place of the change among the outputs.
    #[serde(alias = "changePosition")]
    change_position: Option<u32>,
    /// Type of address that gets the change: `bech32m` (as if left out), `bech32` or `legacy`.
    change_type: Option<String>,
    /// Whether the coins that are spent are kept from other payments.
    #[serde(alias = "lockUnspents")]
    pub(super) lock_unspents: bool,
    /// Height or time before which no block may have it.
    pub(super) locktime: Option<u32>,
    /// Whether it may be replaced by one with a higher fee (BIP-0125); it may, if left out.
    replaceable: Option<bool>,
    /// Places of the outputs from which the fee is taken, in equal parts.
    #[serde(alias = "subtractFeeFromOutputs")]
    subtract_fee_from_outputs: Vec<usize>,
    /// Blocks within which it shall be mined; 6 if left out.
    conf_target: Option<i64>,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
    /// Fee rate: satoshis for one virtual byte.
    fee_rate: Option<SatPerVb>,
    /// Whether it is kept and sent; it is, if left out. Otherwise it is given as it is.
    add_to_wallet: Option<bool>,
    /// Whether it is given as PSBT and not sent.
    psbt: bool,
    /// Fee rate: coins for 1,000 virtual bytes.
    #[serde(rename = "feeRate")]
    fee_rate_kvb: Option<Btc>,
}

impl Settings {
    pub(super) async fn options(&self, context: &Context) -> Result<Options, Error> {
        let rate = match (self.fee_rate, self.fee_rate_kvb) {
            (Some(_), Some(_)) => {
                let text = "Cannot specify both fee_rate (sat/vB) and feeRate (BTC/kvB)";
                return Err(Error::new(Code::InvalidParameter, text));
            }
            (rate, other) => rate.or_else(|| other.map(SatPerVb::from)),
        };
        let wish =
            Wish { rate, target: self.conf_target, mode: self.estimate_mode.clone(), replaceable: self.replaceable };
        let mut options = wish.options(context).await?;
        for input in &self.inputs {
            let object =
                input.as_object().ok_or_else(|| Error::new(Code::Type, "an input is not an object as expected"))?;
            options.coins.push(raw::outpoint(object)?);
        }
        options.only_coins = !self.add_inputs.unwrap_or(options.coins.is_empty());
        options.unsafe_coins = self.include_unsafe;
        options.least_confirmations = self.minconf;
        if let Some(kind) = &self.change_type {
            options.change = Some(addresses::kind(kind)?);
        }
        if let Some(address) = &self.change_address {
            let script = script(address, context.backend.spec());
            let invalid = |_| Error::new(Code::NotFound, "Change address must be a valid bitcoin address");
            options.change_script = Some(script.map_err(invalid)?);
        }
        options.change_position = self.change_position;
        options.lock_time = self.locktime;
        Ok(options)
    }

    /// Who gets what.
    pub(super) fn recipients(&self, outputs: Vec<TxOut>) -> Result<Vec<Recipient>, Error> {
        if let Some(place) = self.subtract_fee_from_outputs.iter().find(|place| **place >= outputs.len()) {
            let text = format!("Invalid parameter, position {place} is beyond the outputs");
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let recipient = |(place, output): (usize, TxOut)| Recipient {
            script: output.script_pubkey,
            amount: output.value,
            subtract_fee: self.subtract_fee_from_outputs.contains(&place),
        };
        Ok(outputs.into_iter().enumerate().map(recipient).collect())
    }
}

/// Drafts a payment, and keeps its coins from others if that is wanted.
pub(super) async fn draft(
    context: &Context,
    recipients: Vec<Recipient>,
    options: Options,
    lock: bool,
) -> Result<Draft, Error> {
    with(context, move |wallet| {
        let draft = wallet.fund(&recipients, &options)?;
        for input in draft.psbt.unsigned_tx.input.iter().filter(|_| lock) {
            let _ = wallet.lock_coin(input.previous_output, true);
        }
        Ok(draft)
    })
    .await
}

/// Pays, with all that can be told of a payment; or gives it as PSBT.
#[derive(Debug, Deserialize, JsonSchema)]
struct Send {
    /// An object of addresses and amounts, or a list of such objects of one address each; `data` with hexadecimal digits
    /// stands for an output that holds data.
    outputs: Value,
    /// Blocks within which it shall be mined; 6 if left out.
    conf_target: Option<i64>,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
    /// Fee rate: satoshis for one virtual byte.
    fee_rate: Option<SatPerVb>,
    /// More settings.
    #[serde(default)]
    options: Settings,
}

/// What became of a payment.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    /// Whether every signature is there.
    complete: bool,
    /// Its id, once every signature is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<String>,
    /// Its bytes, if it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// It, in base 64, if it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    psbt: Option<String>,
}

/// What was told twice, or once.
fn once<T>(outer: Option<T>, inner: Option<T>, name: &str) -> Result<Option<T>, Error> {
    if outer.is_some() && inner.is_some() {
        let text = format!("Pass {name} either as an argument or in the options, not both");
        return Err(Error::new(Code::InvalidParameter, text));
    }
    Ok(outer.or(inner))
}

impl Method for Send {
    known_as!("send", Wallet, Cookie);
    type Reply = Sent;

    async fn call(self, context: Context) -> Result<Sent, Error> {
        let mut settings = self.options;
        settings.conf_target = once(self.conf_target, settings.conf_target, "conf_target")?;
        settings.estimate_mode = once(self.estimate_mode, settings.estimate_mode, "estimate_mode")?;
        settings.fee_rate = once(self.fee_rate, settings.fee_rate, "fee_rate")?;
        let outputs = raw::outputs(self.outputs, &context.backend.spec().addresses)?;
        let recipients = settings.recipients(outputs)?;
        let options = settings.options(&context).await?;
        if settings.add_to_wallet.unwrap_or(true) && !settings.psbt {
            let payment = submit(&context, move |wallet| Ok(wallet.pay(&recipients, &options)?)).await?;
            let Payment { transaction, .. } = payment;
            return Ok(Sent { complete: true, txid: Some(transaction.txid().to_string()), hex: None, psbt: None });
        }
        let draft = draft(&context, recipients, options, settings.lock_unspents).await?;
        with(&context, move |wallet| {
            let processed = wallet.process(draft.psbt, true, true)?;
            let whole = yap_wallet::extract(&processed.psbt).ok().filter(|_| processed.complete);
            Ok(Sent {
                complete: processed.complete,
                txid: whole.as_ref().map(|whole| whole.txid().to_string()),
                hex: whole.map(|whole| bitcoin::consensus::encode::serialize_hex(whole.decoded())),
                psbt: Some(processed.psbt.to_string()),
            })
        })
        .await
    }
}

/// Drafts a payment: chooses coins for the outputs, and gives it as PSBT that is yet to be signed.
#[derive(Debug, Deserialize, JsonSchema)]
struct WalletCreateFundedPsbt {
    /// Coins that are spent in any case: objects of `txid` and `vout`.
    #[serde(default)]
    inputs: Vec<Value>,
    /// An object of addresses and amounts, or a list of such objects of one address each; `data` with hexadecimal digits
    /// stands for an output that holds data.
    outputs: Value,
    /// Height or time before which no block may have it.
    locktime: Option<u32>,
    /// More settings.
    #[serde(default)]
    options: Settings,
    /// Has no effect: whoever signs is told where keys come from.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters; what it asks for is always there")]
    bip32derivs: Option<bool>,
}

/// A draft.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Drafted {
    /// It, in base 64.
    pub(super) psbt: String,
    /// Its fee.
    pub(super) fee: Btc,
    /// Place of the change among the outputs; -1 if there is none.
    pub(super) changepos: i64,
}

impl Drafted {
    pub(super) fn of(draft: &Draft) -> Self {
        Self { psbt: draft.psbt.to_string(), fee: draft.fee.into(), changepos: draft.change.map_or(-1, i64::from) }
    }
}

impl Method for WalletCreateFundedPsbt {
    known_as!("walletcreatefundedpsbt", Wallet, Cookie);
    type Reply = Drafted;

    async fn call(self, context: Context) -> Result<Drafted, Error> {
        let mut settings = self.options;
        settings.inputs.extend(self.inputs);
        settings.locktime = once(self.locktime, settings.locktime, "locktime")?;
        let outputs = raw::outputs(self.outputs, &context.backend.spec().addresses)?;
        let recipients = settings.recipients(outputs)?;
        let options = settings.options(&context).await?;
        let draft = draft(&context, recipients, options, settings.lock_unspents).await?;
        Ok(Drafted::of(&draft))
    }
}
