//! Transactions to be signed: Bitcoin Core's `ConstructTransaction`.

use std::collections::HashSet;

use bitcoin::absolute::LockTime;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use yap_chain::address;
use yap_chain::spec::Addresses;

use super::super::types::{Btc, bytes, txid};
use super::decode::hex;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Sequence number that says that the transaction may be replaced (BIP-0125).
const REPLACEABLE: u32 = 0xffff_fffd;

/// What a transaction is made of, as parameters have it.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) inputs: Vec<Value>,
    pub(super) outputs: Value,
    pub(super) locktime: Option<i64>,
    pub(super) replaceable: Option<bool>,
    pub(super) version: Option<i64>,
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(Code::InvalidParameter, why)
}

impl Parts {
    /// The transaction, without signatures.
    pub(super) fn build(self, addresses: &Addresses) -> Result<Transaction, Error> {
        let lock = u32::try_from(self.locktime.unwrap_or(0));
        let lock = lock.map_err(|_| wrong("Invalid parameter, locktime out of range"))?;
        let version = self.version.unwrap_or(2);
        let version = i32::try_from(version).ok().filter(|version| (1..=3).contains(version));
        let version = version.ok_or_else(|| wrong("Invalid parameter, version out of range(1~3)"))?;
        let usual = match (self.replaceable, lock) {
            (None | Some(true), _) => REPLACEABLE,
            // A lock time holds only if not every sequence number is the last.
            (Some(false), 1..) => Sequence::ENABLE_LOCKTIME_NO_RBF.0,
            (Some(false), 0) => Sequence::MAX.0,
        };
        let inputs = self.inputs.iter().map(|value| input(value, usual)).collect::<Result<Vec<_>, _>>()?;
        if self.replaceable == Some(true) && !inputs.is_empty() && inputs.iter().all(|input| !input.sequence.is_rbf()) {
            let text = "Invalid parameter combination: Sequence number(s) contradict replaceable option";
            return Err(wrong(text));
        }
        Ok(Transaction {
            version: Version(version),
            lock_time: LockTime::from_consensus(lock),
            input: inputs,
            output: outputs(self.outputs, addresses)?,
        })
    }
}

/// The outpoint that an object names by `txid` and `vout`.
pub(in super::super) fn outpoint(object: &Map<String, Value>) -> Result<OutPoint, Error> {
    let id = object.get("txid").and_then(Value::as_str).ok_or_else(|| wrong("Invalid parameter, missing txid key"))?;
    let id: Txid = txid(id, "txid")?;
    let vout = object.get("vout").and_then(Value::as_i64);
    let vout = vout.ok_or_else(|| wrong("Invalid parameter, missing vout key"))?;
    if vout < 0 {
        return Err(wrong("Invalid parameter, vout cannot be negative"));
    }
    let vout = u32::try_from(vout).map_err(|_| wrong("Invalid parameter, vout is out of range"))?;
    Ok(OutPoint { txid: id, vout })
}

fn input(value: &Value, usual: u32) -> Result<TxIn, Error> {
    let object = value.as_object().ok_or_else(|| Error::new(Code::Type, "an input is not an object as expected"))?;
    let sequence = match object.get("sequence").and_then(Value::as_number) {
        Some(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        None => Some(usual),
    };
    let sequence = sequence.ok_or_else(|| wrong("Invalid parameter, sequence number is out of range"))?;
    Ok(TxIn {
        previous_output: outpoint(object)?,
        script_sig: ScriptBuf::new(),
        sequence: Sequence(sequence),
        witness: Witness::new(),
    })
}

/// Outputs: one object of addresses and amounts, or a list of objects of one each. `data` stands for an `OP_RETURN`.
pub(in super::super) fn outputs(value: Value, addresses: &Addresses) -> Result<Vec<TxOut>, Error> {
    let pairs: Vec<(String, Value)> = match value {
        Value::Object(object) => object.into_iter().collect(),
        Value::Array(list) => list.into_iter().map(pair).collect::<Result<_, _>>()?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(wrong("Invalid parameter, output argument must be an object or an array"));
        }
    };
    let mut seen = HashSet::new();
    let mut has_data = false;
    let mut outputs = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        if name == "data" {
            if std::mem::replace(&mut has_data, true) {
                return Err(wrong("Invalid parameter, duplicate key: data"));
            }
            outputs.push(TxOut { value: Amount::ZERO, script_pubkey: data(&value)? });
            continue;
        }
        let amount: Btc = serde_json::from_value(value).map_err(|error| Error::new(Code::Type, error.to_string()))?;
        let script = address::parse(&name, addresses);
        let script = script.map_err(|_| Error::new(Code::NotFound, format!("Invalid Bitcoin address: {name}")))?;
        if !seen.insert(script.clone()) {
            return Err(wrong(format!("Invalid parameter, duplicated address: {name}")));
        }
        outputs.push(TxOut { value: amount.amount(), script_pubkey: script });
    }
    Ok(outputs)
}

fn pair(value: Value) -> Result<(String, Value), Error> {
    let Value::Object(object) = value else {
        return Err(wrong("Invalid parameter, key-value pair not an object as expected"));
    };
    let mut entries = object.into_iter();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry),
        _ => Err(wrong("Invalid parameter, key-value pair must contain exactly one key")),
    }
}

fn data(value: &Value) -> Result<ScriptBuf, Error> {
    let text = value.as_str().ok_or_else(|| wrong("Data must be hexadecimal string"))?;
    let data = PushBytesBuf::try_from(bytes(text, "Data")?).map_err(|_| wrong("Data is too long for a script"))?;
    Ok(Builder::new().push_opcode(bitcoin::opcodes::all::OP_RETURN).push_slice(data).into_script())
}

/// Makes a transaction, without signatures; it is neither kept nor sent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateRawTransaction {
    /// What it spends: objects of `txid`, `vout` and, if wanted, `sequence`.
    inputs: Vec<Value>,
    /// What it pays: an object of addresses and amounts, or a list of such objects of one address each; `data` with
    /// hexadecimal digits stands for an output that holds data.
    outputs: Value,
    /// Height or time before which no block may have it.
    locktime: Option<i64>,
    /// Whether its sequence numbers say that it may be replaced, which they do if left out.
    replaceable: Option<bool>,
    /// Its version: 1, 2 (as if left out) or 3.
    version: Option<i64>,
}

impl Method for CreateRawTransaction {
    known_as!("createrawtransaction", RawTransactions, Open);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let Self { inputs, outputs, locktime, replaceable, version } = self;
        let parts = Parts { inputs, outputs, locktime, replaceable, version };
        Ok(hex(&parts.build(&context.backend.spec().addresses)?))
    }
}
