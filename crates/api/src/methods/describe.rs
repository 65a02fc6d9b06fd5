//! Headers, blocks, transactions and scripts as Bitcoin Core shows them, with its names and its order of fields.
//!
//! Source: Bitcoin Core, `src/core_io.cpp` and `src/rpc/blockchain.cpp` (MIT).

mod asm;
mod block;
mod descriptor;
mod transaction;

use bitcoin::hex::DisplayHex;
use bitcoin::{Script, TxOut};
use schemars::JsonSchema;
use serde::Serialize;
use yap_chain::address;
use yap_chain::policy::output::Kind;
use yap_chain::spec::Addresses;

pub(crate) use self::asm::asm;
pub(crate) use self::block::{Block, Header, difficulty, target};
pub(crate) use self::descriptor::{inferred, with_checksum};
pub(crate) use self::transaction::{Detail, Transaction};
use super::types::Btc;

/// A script that an output has.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The script in words.
    pub(crate) asm: String,
    /// A descriptor that stands for it.
    pub(crate) desc: String,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hex: Option<String>,
    /// Its address, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Its kind, such as `pubkeyhash` or `witness_v1_taproot`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

impl Output {
    pub(crate) fn of(script: &Script, addresses: &Addresses) -> Self {
        Self {
            asm: asm(script, false),
            desc: inferred(script, addresses),
            hex: Some(script.as_bytes().to_lower_hex_string()),
            address: address::encode(script, addresses),
            kind: Kind::of(script).name(),
        }
    }
}

/// A script that satisfies another.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Satisfying {
    /// The script in words; signatures with their kind, such as `[ALL]`.
    pub(crate) asm: String,
    /// Its bytes.
    pub(crate) hex: String,
}

impl Satisfying {
    pub(crate) fn of(script: &Script) -> Self {
        Self { asm: asm(script, true), hex: script.as_bytes().to_lower_hex_string() }
    }
}

/// An output with its place.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Paid {
    /// What it is worth.
    pub(crate) value: Btc,
    /// Its index.
    pub(crate) n: u32,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    pub(crate) script: Output,
}

impl Paid {
    fn of(n: usize, output: &TxOut, addresses: &Addresses) -> Self {
        Self {
            value: output.value.into(),
            n: u32::try_from(n).unwrap_or(u32::MAX),
            script: Output::of(&output.script_pubkey, addresses),
        }
    }
}

#[cfg(test)]
mod tests;
