//! Coins and change for a transaction that somebody else began.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, OutPoint, Transaction, TxIn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yap_wallet::{Draft, PayError};

use super::super::raw::unfunded;
use super::super::types::Btc;
use super::send::Settings;
use super::with;
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<FundRawTransaction>()
}

/// Adds coins of the wallet to a transaction until they pay for its outputs and the fee, and an output for what is left.
/// What it spends already stays, and must be the wallet's. Nothing is signed.
#[derive(Debug, Deserialize, JsonSchema)]
struct FundRawTransaction {
    /// Its bytes in hexadecimal digits; it may spend nothing yet.
    hexstring: String,
    /// More settings; of those, what is told by the transaction itself can't be given.
    #[serde(default)]
    options: Settings,
    /// Whether the bytes are in the form that has witnesses (BIP-0144); found out, if left out.
    iswitness: Option<bool>,
}

/// A transaction that pays.
#[derive(Debug, Serialize, JsonSchema)]
struct Funded {
    /// Its bytes.
    hex: String,
    /// Its fee.
    fee: Btc,
    /// Place of the change among the outputs; -1 if there is none.
    changepos: i64,
}

/// How one input is named among the settings.
fn named(input: &TxIn) -> Value {
    let OutPoint { txid, vout } = input.previous_output;
    serde_json::json!({ "txid": txid.to_string(), "vout": vout })
}

impl Method for FundRawTransaction {
    known_as!("fundrawtransaction", Wallet, Cookie);
    type Reply = Funded;

    async fn call(self, context: Context) -> Result<Funded, Error> {
        let begun = unfunded(&self.hexstring, self.iswitness)?;
        let mut settings = self.options;
        if !settings.inputs.is_empty() || settings.locktime.is_some() {
            let text = "inputs and locktime are told by the transaction, and can't be given as options";
            return Err(Error::new(Code::InvalidParameter, text));
        }
        if begun.output.is_empty() {
            return Err(Error::new(Code::InvalidParameter, "TX must have at least one output"));
        }
        if begun.output.iter().any(|output| output.value > Amount::MAX_MONEY) {
            return Err(Error::new(Code::Type, "Amount out of range"));
        }
        settings.inputs = begun.input.iter().map(named).collect();
        settings.locktime = Some(begun.lock_time.to_consensus_u32());
        settings.add_inputs = Some(settings.add_inputs.unwrap_or(true));
        let recipients = settings.recipients(begun.output.clone())?;
        let options = settings.options(&context).await?;
        let lock = settings.lock_unspents;
        with(&context, move |wallet| {
            let draft = wallet.fund(&recipients, &options).map_err(|error| {
                if let PayError::NoCoin(coin) = error {
                    Error::new(Code::Wallet, format!("Not found pre-selected input {coin}"))
                } else {
                    error.into()
                }
            })?;
            let (fee, changepos) = (draft.fee.into(), draft.change.map_or(-1, i64::from));
            let whole = completed(begun, draft);
            for input in whole.input.iter().filter(|_| lock) {
                let _ = wallet.lock_coin(input.previous_output, true);
            }
            Ok(Funded { hex: serialize_hex(&whole), fee, changepos })
        })
        .await
    }
}

/// The transaction with the coins and the change of a draft: what it spent before comes first, as it was.
fn completed(begun: Transaction, draft: Draft) -> Transaction {
    let Transaction { version, lock_time, input: mut inputs, .. } = begun;
    let added = draft.psbt.unsigned_tx.input.into_iter();
    let fresh: Vec<TxIn> =
        added.filter(|new| inputs.iter().all(|old| old.previous_output != new.previous_output)).collect();
    inputs.extend(fresh);
    Transaction { version, lock_time, input: inputs, output: draft.psbt.unsigned_tx.output }
}
