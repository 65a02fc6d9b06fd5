//! Transactions that are yet to be signed, with what signers need (BIP-0174).

mod analyze;
mod combine;
mod show;

use std::str::FromStr;

use bitcoin::psbt::Psbt;
use bitcoin::{OutPoint, Transaction, TxOut};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::types::transaction;
use super::create::Parts;
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<CreatePsbt>()
        .with::<ConvertToPsbt>()
        .with::<UtxoUpdatePsbt>()
        .with::<show::DecodePsbt>()
        .with::<analyze::AnalyzePsbt>()
        .with::<combine::CombinePsbt>()
        .with::<combine::FinalizePsbt>()
}

/// A PSBT in base 64.
fn read(text: &str) -> Result<Psbt, Error> {
    Psbt::from_str(text).map_err(|error| Error::new(Code::Deserialization, format!("TX decode failed {error}")))
}

/// The PSBT of a transaction without signatures.
fn unsigned(transaction: Transaction) -> Result<String, Error> {
    let psbt = Psbt::from_unsigned_tx(transaction);
    let text = "Inputs must not have scriptSigs and scriptWitnesses";
    psbt.map(|psbt| psbt.to_string()).map_err(|_| Error::new(Code::Deserialization, text))
}

/// The output that an input spends, if the PSBT has it. A previous transaction counts only if its id is the one that the
/// input names.
fn spent(psbt: &Psbt, index: usize) -> Option<&TxOut> {
    let input = psbt.inputs.get(index)?;
    let OutPoint { txid, vout } = psbt.unsigned_tx.input.get(index)?.previous_output;
    let whole = input.non_witness_utxo.as_ref().filter(|whole| whole.compute_txid() == txid);
    whole.and_then(|whole| whole.output.get(usize::try_from(vout).ok()?)).or(input.witness_utxo.as_ref())
}

/// Makes a PSBT.
#[derive(Debug, Deserialize, JsonSchema)]
struct CreatePsbt {
    /// What it spends: objects of `txid`, `vout` and, if wanted, `sequence`.
    inputs: Vec<Value>,
    /// What it pays: an object of addresses and amounts, or a list of such objects of one address each; `data` with
    /// hexadecimal digits stands for an output that holds data.
    outputs: Value,
    /// Height or time before which no block may have it.
    locktime: Option<i64>,
    /// Whether its sequence numbers say that it may be replaced, which they do if left out.
    replaceable: Option<bool>,
    /// The transaction's version: 1, 2 (as if left out) or 3.
    version: Option<i64>,
}

impl Method for CreatePsbt {
    known_as!("createpsbt", RawTransactions, Open);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let Self { inputs, outputs, locktime, replaceable, version } = self;
        let parts = Parts { inputs, outputs, locktime, replaceable, version };
        unsigned(parts.build(&context.backend.spec().addresses)?)
    }
}

/// Makes a PSBT of a transaction.
#[derive(Debug, Deserialize, JsonSchema)]
struct ConvertToPsbt {
    /// Its bytes in hexadecimal digits.
    hexstring: String,
    /// Whether signatures may be thrown away; if left out, a transaction that has some is refused.
    permitsigdata: Option<bool>,
    /// Without effect: whether it has a witness is seen.
    iswitness: Option<bool>,
}

impl Method for ConvertToPsbt {
    known_as!("converttopsbt", RawTransactions, Open);
    type Reply = String;

    async fn call(self, _: Context) -> Result<String, Error> {
        let _ = self.iswitness;
        let read = transaction(&self.hexstring).map_err(|_| Error::new(Code::Deserialization, "TX decode failed"))?;
        let mut transaction = read.decoded().clone();
        if self.permitsigdata.unwrap_or(false) {
            for input in &mut transaction.input {
                input.script_sig = bitcoin::ScriptBuf::new();
                input.witness.clear();
            }
        }
        unsigned(transaction)
    }
}

/// Adds to a PSBT what it spends, as far as blocks and waiting transactions tell.
#[derive(Debug, Deserialize, JsonSchema)]
struct UtxoUpdatePsbt {
    /// The PSBT in base 64.
    psbt: String,
}

impl Method for UtxoUpdatePsbt {
    known_as!("utxoupdatepsbt", RawTransactions, Open);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let mut psbt = read(&self.psbt)?;
        let outpoints: Vec<OutPoint> = psbt.unsigned_tx.input.iter().map(|input| input.previous_output).collect();
        let found = context.backend.ask(move |view| {
            let found = outpoints.into_iter().map(|outpoint| {
                let pending = view.pool().get_by_txid(&outpoint.txid).cloned();
                let coin = if pending.is_none() { view.coin(&outpoint).ok().flatten() } else { None };
                (pending, coin)
            });
            found.collect::<Vec<_>>()
        });
        for (input, (pending, coin)) in psbt.inputs.iter_mut().zip(found.await?) {
            if input.non_witness_utxo.is_some() || input.witness_utxo.is_some() {
                continue;
            }
            if let Some(entry) = pending {
                input.non_witness_utxo = Some(entry.transaction().decoded().clone());
            }
            // Of others the whole previous transaction is needed: their signatures don't cover amounts.
            if let Some(coin) = coin.filter(|coin| coin.script().is_witness_program()) {
                input.witness_utxo = Some(TxOut { value: coin.value, script_pubkey: coin.script().to_owned() });
            }
        }
        Ok(psbt.to_string())
    }
}
