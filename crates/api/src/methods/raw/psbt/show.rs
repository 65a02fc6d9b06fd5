//! What a PSBT has: Bitcoin Core's `decodepsbt`.

use bitcoin::bip32::{DerivationPath, Fingerprint};
use bitcoin::hex::DisplayHex;
use bitcoin::psbt::{self, Psbt};
use bitcoin::{TxOut, base58};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use yap_chain::spec::Addresses;
use yap_chain::transaction;

use super::super::super::describe::{Output, Satisfying, Transaction, asm};
use super::super::super::types::Btc;
use super::{read, spent};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Describes a PSBT.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DecodePsbt {
    /// The PSBT in base 64.
    psbt: String,
}

/// What a PSBT has.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// The transaction, without signatures.
    tx: Transaction,
    /// Extended public keys that keys were derived from.
    global_xpubs: Vec<Xpub>,
    /// Version of the PSBT.
    psbt_version: u32,
    /// Fields of applications.
    proprietary: Vec<Proprietary>,
    /// Fields that are not known.
    unknown: Map<String, Value>,
    /// For each input.
    inputs: Vec<Input>,
    /// For each output.
    outputs: Vec<Paid>,
    /// What it pays, if what it spends is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Btc>,
}

/// An extended public key.
#[derive(Debug, Serialize, JsonSchema)]
struct Xpub {
    /// The key.
    xpub: String,
    /// Fingerprint of the key that it was derived from.
    master_fingerprint: String,
    /// The way from that key.
    path: String,
}

/// A field of an application.
#[derive(Debug, Serialize, JsonSchema)]
struct Proprietary {
    /// Who it belongs to.
    identifier: String,
    /// Its kind.
    subtype: u8,
    /// Its key.
    key: String,
    /// Its value.
    value: String,
}

/// Where a key comes from.
#[derive(Debug, Serialize, JsonSchema)]
struct Origin {
    /// The key.
    pubkey: String,
    /// Fingerprint of the key that it was derived from.
    master_fingerprint: String,
    /// The way from that key.
    path: String,
    /// Leaves of taproot that the key is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_hashes: Option<Vec<String>>,
}

impl Origin {
    fn new(
        key: &impl ToString,
        (fingerprint, path): &(Fingerprint, DerivationPath),
        leaves: Option<Vec<String>>,
    ) -> Self {
        let (master_fingerprint, path) = (fingerprint.to_string(), way(path));
        Self { pubkey: key.to_string(), master_fingerprint, path, leaf_hashes: leaves }
    }
}

fn way(path: &DerivationPath) -> String {
    if path.is_empty() { "m".to_owned() } else { format!("m/{path}") }
}

/// An output that an input spends.
#[derive(Debug, Serialize, JsonSchema)]
struct Utxo {
    /// What it is worth.
    amount: Btc,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: Output,
}

/// A script in a field.
#[derive(Debug, Serialize, JsonSchema)]
struct Redeem {
    /// The script in words.
    asm: String,
    /// Its bytes.
    hex: String,
    /// Its kind.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Redeem {
    fn of(script: &bitcoin::Script) -> Self {
        let kind = yap_chain::policy::output::Kind::of(script).name();
        Self { asm: asm(script, false), hex: script.as_bytes().to_lower_hex_string(), kind }
    }
}

/// What an input has.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Input {
    /// The output that it spends, if that has a witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_utxo: Option<Utxo>,
    /// The transaction whose output it spends.
    #[serde(skip_serializing_if = "Option::is_none")]
    non_witness_utxo: Option<Transaction>,
    /// Signatures, by public key.
    #[serde(skip_serializing_if = "Map::is_empty")]
    partial_signatures: Map<String, Value>,
    /// What signatures are to cover.
    #[serde(skip_serializing_if = "Option::is_none")]
    sighash: Option<String>,
    /// The script whose hash it spends (BIP-0016).
    #[serde(skip_serializing_if = "Option::is_none")]
    redeem_script: Option<Redeem>,
    /// The script whose hash it spends (BIP-0141).
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_script: Option<Redeem>,
    /// Where its keys come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bip32_derivs: Vec<Origin>,
    /// What satisfies the script, outside of the witness.
    #[serde(rename = "final_scriptSig", skip_serializing_if = "Option::is_none")]
    final_script_sig: Option<Satisfying>,
    /// What satisfies the script, in the witness.
    #[serde(rename = "final_scriptwitness", skip_serializing_if = "Option::is_none")]
    final_script_witness: Option<Vec<String>>,
    /// Preimages, by hash.
    #[serde(skip_serializing_if = "Map::is_empty")]
    ripemd160_preimages: Map<String, Value>,
    /// Preimages, by hash.
    #[serde(skip_serializing_if = "Map::is_empty")]
    sha256_preimages: Map<String, Value>,
    /// Preimages, by hash.
    #[serde(skip_serializing_if = "Map::is_empty")]
    hash160_preimages: Map<String, Value>,
    /// Preimages, by hash.
    #[serde(skip_serializing_if = "Map::is_empty")]
    hash256_preimages: Map<String, Value>,
    /// Signature of taproot's output key.
    #[serde(skip_serializing_if = "Option::is_none")]
    taproot_key_path_sig: Option<String>,
    /// Signatures of keys in taproot's scripts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taproot_script_path_sigs: Vec<ScriptSignature>,
    /// Scripts of taproot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taproot_scripts: Vec<Leaf>,
    /// Where taproot's keys come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taproot_bip32_derivs: Vec<Origin>,
    /// Taproot's internal key.
    #[serde(skip_serializing_if = "Option::is_none")]
    taproot_internal_key: Option<String>,
    /// Root of taproot's scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    taproot_merkle_root: Option<String>,
    /// Fields of applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proprietary: Vec<Proprietary>,
    /// Fields that are not known.
    #[serde(skip_serializing_if = "Map::is_empty")]
    unknown: Map<String, Value>,
}

/// A signature of a key in one of taproot's scripts.
#[derive(Debug, Serialize, JsonSchema)]
struct ScriptSignature {
    /// The key.
    pubkey: String,
    /// Hash of the script's leaf.
    leaf_hash: String,
    /// The signature.
    sig: String,
}

/// A script of taproot.
#[derive(Debug, Serialize, JsonSchema)]
struct Leaf {
    /// Its bytes.
    script: String,
    /// Version of its leaf.
    leaf_ver: u8,
    /// What shows that the output commits to it.
    control_blocks: Vec<String>,
}

/// What an output has.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Paid {
    /// The script whose hash it pays to (BIP-0016).
    #[serde(skip_serializing_if = "Option::is_none")]
    redeem_script: Option<Redeem>,
    /// The script whose hash it pays to (BIP-0141).
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_script: Option<Redeem>,
    /// Where its keys come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bip32_derivs: Vec<Origin>,
    /// Taproot's internal key.
    #[serde(skip_serializing_if = "Option::is_none")]
    taproot_internal_key: Option<String>,
    /// Where taproot's keys come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taproot_bip32_derivs: Vec<Origin>,
    /// Fields of applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proprietary: Vec<Proprietary>,
    /// Fields that are not known.
    #[serde(skip_serializing_if = "Map::is_empty")]
    unknown: Map<String, Value>,
}

impl Method for DecodePsbt {
    known_as!("decodepsbt", RawTransactions, Open);
    const LARGE: bool = true;
    type Reply = Shown;

    async fn call(self, context: Context) -> Result<Shown, Error> {
        shown(&read(&self.psbt)?, &context.backend.spec().addresses)
    }
}

fn shown(psbt: &Psbt, addresses: &Addresses) -> Result<Shown, Error> {
    let xpubs = psbt.xpub.iter().map(|(key, (fingerprint, path))| {
        // The version bytes are the chain's own.
        let bytes = key.encode();
        let own: Vec<u8> = addresses.xpub.iter().chain(bytes.get(4..).unwrap_or_default()).copied().collect();
        Xpub { xpub: base58::encode_check(&own), master_fingerprint: fingerprint.to_string(), path: way(path) }
    });
    let coins: Option<Vec<&TxOut>> = (0..psbt.inputs.len()).map(|index| spent(psbt, index)).collect();
    let sum = |values: &mut dyn Iterator<Item = bitcoin::Amount>| {
        values.fold(0_i64, |sum, value| sum.saturating_add(Btc::from(value).to_sat()))
    };
    let paid = sum(&mut psbt.unsigned_tx.output.iter().map(|output| output.value));
    let spent = coins.map(|coins| sum(&mut coins.into_iter().map(|coin| coin.value)));
    Ok(Shown {
        tx: described(&psbt.unsigned_tx, addresses)?,
        global_xpubs: xpubs.collect(),
        psbt_version: psbt.version,
        proprietary: proprietary(&psbt.proprietary),
        unknown: unknown(&psbt.unknown),
        inputs: psbt.inputs.iter().map(|input| shown_input(input, addresses)).collect::<Result<_, _>>()?,
        outputs: psbt.outputs.iter().map(shown_output).collect(),
        fee: spent.map(|spent| Btc::from_sat(spent.saturating_sub(paid))),
    })
}

/// A transaction of a field. One of no inputs can't be described, as its bytes could be read in two ways.
fn described(transaction: &bitcoin::Transaction, addresses: &Addresses) -> Result<Transaction, Error> {
    let bytes = bitcoin::consensus::serialize(transaction);
    let parsed = transaction::Transaction::parse(bytes);
    let parsed = parsed.map_err(|_| Error::new(Code::Deserialization, "TX decode failed: it has no inputs"))?;
    Ok(Transaction::of(&parsed, addresses))
}

fn shown_input(input: &psbt::Input, addresses: &Addresses) -> Result<Input, Error> {
    let hex = |bytes: &[u8]| Value::from(bytes.to_lower_hex_string());
    let leaves = |leaves: &[bitcoin::TapLeafHash]| Some(leaves.iter().map(ToString::to_string).collect());
    let whole = input.non_witness_utxo.as_ref().map(|whole| described(whole, addresses)).transpose()?;
    let utxo =
        |output: &TxOut| Utxo { amount: output.value.into(), script: Output::of(&output.script_pubkey, addresses) };
    Ok(Input {
        witness_utxo: input.witness_utxo.as_ref().map(utxo),
        non_witness_utxo: whole,
        partial_signatures: input.partial_sigs.iter().map(|(k, v)| (k.to_string(), hex(&v.to_vec()))).collect(),
        sighash: input.sighash_type.map(|kind| kind.to_string().trim_start_matches("SIGHASH_").to_owned()),
        redeem_script: input.redeem_script.as_deref().map(Redeem::of),
        witness_script: input.witness_script.as_deref().map(Redeem::of),
        bip32_derivs: input.bip32_derivation.iter().map(|(key, origin)| Origin::new(key, origin, None)).collect(),
        final_script_sig: input.final_script_sig.as_deref().map(Satisfying::of),
        final_script_witness: input
            .final_script_witness
            .as_ref()
            .map(|witness| witness.iter().map(|item| item.to_lower_hex_string()).collect()),
        ripemd160_preimages: input.ripemd160_preimages.iter().map(|(k, v)| (k.to_string(), hex(v))).collect(),
        sha256_preimages: input.sha256_preimages.iter().map(|(k, v)| (k.to_string(), hex(v))).collect(),
        hash160_preimages: input.hash160_preimages.iter().map(|(k, v)| (k.to_string(), hex(v))).collect(),
        hash256_preimages: input.hash256_preimages.iter().map(|(k, v)| (k.to_string(), hex(v))).collect(),
        taproot_key_path_sig: input.tap_key_sig.map(|signature| signature.to_vec().to_lower_hex_string()),
        taproot_script_path_sigs: input
            .tap_script_sigs
            .iter()
            .map(|((key, leaf), signature)| ScriptSignature {
                pubkey: key.to_string(),
                leaf_hash: leaf.to_string(),
                sig: signature.to_vec().to_lower_hex_string(),
            })
            .collect(),
        taproot_scripts: input
            .tap_scripts
            .iter()
            .map(|(control, (script, version))| Leaf {
                script: script.as_bytes().to_lower_hex_string(),
                leaf_ver: version.to_consensus(),
                control_blocks: vec![control.serialize().to_lower_hex_string()],
            })
            .collect(),
        taproot_bip32_derivs: input
            .tap_key_origins
            .iter()
            .map(|(key, (in_leaves, origin))| Origin::new(key, origin, leaves(in_leaves)))
            .collect(),
        taproot_internal_key: input.tap_internal_key.map(|key| key.to_string()),
        taproot_merkle_root: input.tap_merkle_root.map(|root| root.to_string()),
        proprietary: proprietary(&input.proprietary),
        unknown: unknown(&input.unknown),
    })
}

fn shown_output(output: &psbt::Output) -> Paid {
    let leaves = |leaves: &[bitcoin::TapLeafHash]| Some(leaves.iter().map(ToString::to_string).collect());
    Paid {
        redeem_script: output.redeem_script.as_deref().map(Redeem::of),
        witness_script: output.witness_script.as_deref().map(Redeem::of),
        bip32_derivs: output.bip32_derivation.iter().map(|(key, origin)| Origin::new(key, origin, None)).collect(),
        taproot_internal_key: output.tap_internal_key.map(|key| key.to_string()),
        taproot_bip32_derivs: output
            .tap_key_origins
            .iter()
            .map(|(key, (in_leaves, origin))| Origin::new(key, origin, leaves(in_leaves)))
            .collect(),
        proprietary: proprietary(&output.proprietary),
        unknown: unknown(&output.unknown),
    }
}

fn proprietary(fields: &std::collections::BTreeMap<psbt::raw::ProprietaryKey, Vec<u8>>) -> Vec<Proprietary> {
    let fields = fields.iter().map(|(key, value)| Proprietary {
        identifier: key.prefix.to_lower_hex_string(),
        subtype: key.subtype,
        key: key.key.to_lower_hex_string(),
        value: value.to_lower_hex_string(),
    });
    fields.collect()
}

fn unknown(fields: &std::collections::BTreeMap<psbt::raw::Key, Vec<u8>>) -> Map<String, Value> {
    let fields = fields.iter().map(|(key, value)| {
        let name: Vec<u8> = std::iter::once(key.type_value).chain(key.key.iter().copied()).collect();
        (name.to_lower_hex_string(), Value::from(value.to_lower_hex_string()))
    });
    fields.collect()
}
