//! Signing what others made.

use std::collections::BTreeMap;
use std::str::FromStr;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use bitcoin::{OutPoint, Psbt, ScriptBuf, TxOut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::raw;
use super::super::types::{Btc, transaction};
use super::with;
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// The one kind of signature that the wallet makes: for everything.
const SIGHASHES: [&str; 2] = ["DEFAULT", "ALL"];

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<WalletProcessPsbt>().with::<SignRawTransactionWithWallet>()
}

/// Whether the kind of signature is one that the wallet makes.
fn check_sighash(name: Option<&str>) -> Result<(), Error> {
    match name {
        Some(name) if !SIGHASHES.contains(&name) => {
            let text = format!("'{name}' is not a valid sighash parameter: this wallet signs for everything (ALL)");
            Err(Error::new(Code::InvalidParameter, text))
        }
        _ => Ok(()),
    }
}

const fn yes() -> bool {
    true
}

/// Adds to a PSBT what the wallet knows, and signs what it can.
#[derive(Debug, Deserialize, JsonSchema)]
struct WalletProcessPsbt {
    /// It, in base 64.
    psbt: String,
    /// Whether it is signed.
    #[serde(default = "yes")]
    sign: bool,
    /// Kind of signature: `DEFAULT` or `ALL`.
    sighashtype: Option<String>,
    /// Has no effect: whoever signs is told where keys come from.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters; what it asks for is always there")]
    bip32derivs: Option<bool>,
    /// Whether it is finished, if every signature is there.
    #[serde(default = "yes")]
    finalize: bool,
}

/// What became of a PSBT.
#[derive(Debug, Serialize, JsonSchema)]
struct Processed {
    /// It, in base 64.
    psbt: String,
    /// Whether every signature is there.
    complete: bool,
    /// The transaction, if it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

impl Method for WalletProcessPsbt {
    known_as!("walletprocesspsbt", Wallet, Cookie);
    type Reply = Processed;

    async fn call(self, context: Context) -> Result<Processed, Error> {
        check_sighash(self.sighashtype.as_deref())?;
        let psbt = Psbt::from_str(&self.psbt);
        let psbt = psbt.map_err(|error| Error::new(Code::Deserialization, format!("TX decode failed {error}")))?;
        with(&context, move |wallet| {
            let processed = wallet.process(psbt, self.sign, self.finalize)?;
            let whole = yap_wallet::extract(&processed.psbt).ok().filter(|_| processed.complete);
            Ok(Processed {
                psbt: processed.psbt.to_string(),
                complete: processed.complete,
                hex: whole.map(|whole| serialize_hex(whole.decoded())),
            })
        })
        .await
    }
}

/// Signs the inputs of a transaction that are the wallet's.
#[derive(Debug, Deserialize, JsonSchema)]
struct SignRawTransactionWithWallet {
    /// Its bytes in hexadecimal digits.
    hexstring: String,
    /// Outputs that it spends and that nobody knows yet: objects of `txid`, `vout`, `scriptPubKey` and `amount`.
    #[serde(default)]
    prevtxs: Vec<Value>,
    /// Kind of signature: `DEFAULT` or `ALL`.
    sighashtype: Option<String>,
}

/// What became of a transaction.
#[derive(Debug, Serialize, JsonSchema)]
struct Signed {
    /// Its bytes.
    hex: String,
    /// Whether every signature is there.
    complete: bool,
    /// Inputs without signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unsigned>,
}

/// An input without a signature.
#[derive(Debug, Serialize, JsonSchema)]
struct Unsigned {
    /// Id of the transaction that made what it spends.
    txid: String,
    /// Index among that one's outputs.
    vout: u32,
    /// Why there is none.
    error: String,
}

/// An output that a parameter tells of.
fn told(value: &Value) -> Result<(OutPoint, TxOut), Error> {
    let wrong = |text: &str| Error::new(Code::Deserialization, text);
    let object =
        value.as_object().ok_or_else(|| wrong("expected object with {\"txid'\",\"vout\",\"scriptPubKey\"}"))?;
    let script = object.get("scriptPubKey").and_then(Value::as_str).ok_or_else(|| wrong("Missing scriptPubKey"))?;
    let script = Vec::from_hex(script).map_err(|_| wrong("scriptPubKey must be hexadecimal string"))?;
    let amount = object.get("amount").cloned().ok_or_else(|| wrong("Missing amount"))?;
    let amount: Btc = serde_json::from_value(amount).map_err(|error| Error::new(Code::Type, error.to_string()))?;
    Ok((raw::outpoint(object)?, TxOut { value: amount.amount(), script_pubkey: ScriptBuf::from_bytes(script) }))
}

/// Outputs that the ledger, or the mempool, has.
fn known(view: &mut dyn View, spent: &[OutPoint]) -> Vec<(OutPoint, TxOut)> {
    let mut found = Vec::new();
    for outpoint in spent {
        let pending = view.pool().coin(outpoint);
        // What can't be read is not known.
        let coin = pending.or_else(|| view.coin(outpoint).ok().flatten());
        found
            .extend(coin.map(|coin| (*outpoint, TxOut { value: coin.value, script_pubkey: coin.script().to_owned() })));
    }
    found
}

impl Method for SignRawTransactionWithWallet {
    known_as!("signrawtransactionwithwallet", Wallet, Cookie);
    type Reply = Signed;

    async fn call(self, context: Context) -> Result<Signed, Error> {
        check_sighash(self.sighashtype.as_deref())?;
        let transaction = transaction(&self.hexstring)?.decoded().clone();
        let spent: Vec<OutPoint> = transaction.input.iter().map(|input| input.previous_output).collect();
        let found = context.backend.ask(move |view| known(view, &spent)).await?;
        let mut coins: BTreeMap<OutPoint, TxOut> = found.into_iter().collect();
        for value in &self.prevtxs {
            let (outpoint, output) = told(value)?;
            coins.entry(outpoint).or_insert(output);
        }
        with(&context, move |wallet| {
            let (signed, missing) = wallet.sign_raw(&transaction, &coins)?;
            let error = |index: &usize| {
                let outpoint = signed.input.get(*index)?.previous_output;
                let known = coins.contains_key(&outpoint) || wallet.own_output(&outpoint).is_some();
                let error = if known {
                    "Unable to sign input, the wallet lacks its key"
                } else {
                    "Input not found or already spent"
                };
                Some(Unsigned { txid: outpoint.txid.to_string(), vout: outpoint.vout, error: error.to_owned() })
            };
            Ok(Signed {
                hex: serialize_hex(&signed),
                complete: missing.is_empty(),
                errors: missing.iter().filter_map(error).collect(),
            })
        })
        .await
    }
}
