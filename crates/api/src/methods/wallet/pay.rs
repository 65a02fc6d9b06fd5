//! Paying one or several addresses.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use yap_wallet::{Payment, Recipient};

use super::super::types::Btc;
use super::rate::{SatPerVb, Wish};
use super::{script, submit};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<SendToAddress>().with::<SendMany>()
}

/// A note, if it says anything.
fn note(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The answer to a payment: its id, or with `verbose` an object.
fn told(payment: &Payment, explicit: bool, verbose: bool) -> Value {
    let txid = payment.transaction.txid().to_string();
    let reason =
        if explicit { "Fee rate was given" } else { "Estimated from what waits now and what the last blocks took" };
    if verbose { json!({ "txid": txid, "fee_reason": reason }) } else { Value::String(txid) }
}

/// Pays an address.
#[derive(Debug, Deserialize, JsonSchema)]
struct SendToAddress {
    /// The address.
    address: String,
    /// How much.
    amount: Btc,
    /// A note for yourself: nobody else sees it.
    comment: Option<String>,
    /// Who is paid, for yourself: nobody else sees it.
    comment_to: Option<String>,
    /// Whether the fee is taken from the amount.
    #[serde(default)]
    subtractfeefromamount: bool,
    /// Whether it may be replaced by one with a higher fee (BIP-0125); it may, if left out.
    replaceable: Option<bool>,
    /// Blocks within which it shall be mined; 6 if left out.
    conf_target: Option<i64>,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
    /// Whether coins of used addresses are left out: this wallet can't.
    #[serde(default)]
    avoid_reuse: bool,
    /// Fee rate: satoshis for one virtual byte.
    fee_rate: Option<SatPerVb>,
    /// Whether the answer is an object that tells how the fee was found.
    #[serde(default)]
    verbose: bool,
}

impl Method for SendToAddress {
    known_as!("sendtoaddress", Wallet, Cookie);
    type Reply = Value;

    async fn call(self, context: Context) -> Result<Value, Error> {
        if self.avoid_reuse {
            let text = "wallet does not have the \"avoid reuse\" feature enabled";
            return Err(Error::new(Code::Wallet, text));
        }
        let script = script(&self.address, context.backend.spec())?;
        let recipient = Recipient { script, amount: self.amount.amount(), subtract_fee: self.subtractfeefromamount };
        let explicit = self.fee_rate.is_some();
        let wish = Wish {
            rate: self.fee_rate,
            target: self.conf_target,
            mode: self.estimate_mode,
            replaceable: self.replaceable,
        };
        let mut options = wish.options(&context).await?;
        options.comment = note(self.comment);
        options.to = note(self.comment_to);
        let payment = submit(&context, move |wallet| Ok(wallet.pay(&[recipient], &options)?)).await?;
        Ok(told(&payment, explicit, self.verbose))
    }
}

/// Pays several addresses in one transaction.
#[derive(Debug, Deserialize, JsonSchema)]
struct SendMany {
    /// Empty: there are no accounts any more.
    #[serde(default)]
    dummy: String,
    /// Addresses and amounts.
    #[schemars(with = "std::collections::BTreeMap<String, Btc>")]
    amounts: Map<String, Value>,
    /// Has no effect, as in Bitcoin Core.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in Bitcoin Core either")]
    minconf: Option<u32>,
    /// A note for yourself: nobody else sees it.
    comment: Option<String>,
    /// Addresses from whose amounts the fee is taken, in equal parts.
    #[serde(default)]
    subtractfeefrom: Vec<String>,
    /// Whether it may be replaced by one with a higher fee (BIP-0125); it may, if left out.
    replaceable: Option<bool>,
    /// Blocks within which it shall be mined; 6 if left out.
    conf_target: Option<i64>,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
    /// Fee rate: satoshis for one virtual byte.
    fee_rate: Option<SatPerVb>,
    /// Whether the answer is an object that tells how the fee was found.
    #[serde(default)]
    verbose: bool,
}

impl SendMany {
    fn recipients(&self, context: &Context) -> Result<Vec<Recipient>, Error> {
        if let Some(other) = self.subtractfeefrom.iter().find(|address| !self.amounts.contains_key(*address)) {
            let text =
                format!("Invalid parameter 'subtract fee from output', destination {other} not found in tx outputs");
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let recipient = |(address, amount): (&String, &Value)| {
            let amount: Btc =
                serde_json::from_value(amount.clone()).map_err(|error| Error::new(Code::Type, error.to_string()))?;
            Ok(Recipient {
                script: script(address, context.backend.spec())?,
                amount: amount.amount(),
                subtract_fee: self.subtractfeefrom.contains(address),
            })
        };
        self.amounts.iter().map(recipient).collect()
    }
}

impl Method for SendMany {
    known_as!("sendmany", Wallet, Cookie);
    type Reply = Value;

    async fn call(self, context: Context) -> Result<Value, Error> {
        if !self.dummy.is_empty() {
            return Err(Error::new(Code::InvalidParameter, "Dummy value must be set to \"\""));
        }
        let recipients = self.recipients(&context)?;
        let explicit = self.fee_rate.is_some();
        let wish = Wish {
            rate: self.fee_rate,
            target: self.conf_target,
            mode: self.estimate_mode,
            replaceable: self.replaceable,
        };
        let mut options = wish.options(&context).await?;
        options.comment = note(self.comment);
        let payment = submit(&context, move |wallet| Ok(wallet.pay(&recipients, &options)?)).await?;
        Ok(told(&payment, explicit, self.verbose))
    }
}
