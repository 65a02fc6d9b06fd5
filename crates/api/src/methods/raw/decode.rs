//! What bytes say.

use bitcoin::hex::DisplayHex;
use bitcoin::script::Instruction;
use bitcoin::{PublicKey, Script, ScriptBuf, consensus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::address;
use yap_chain::connect::is_unspendable;
use yap_chain::policy::output::Kind;
use yap_chain::spec::Addresses;

use super::super::describe::{Output, Transaction, inferred};
use super::super::types::{bytes, transaction};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Describes a transaction.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DecodeRawTransaction {
    /// Its bytes in hexadecimal digits.
    hexstring: String,
    /// Without effect: whether it has a witness is seen.
    iswitness: Option<bool>,
}

impl Method for DecodeRawTransaction {
    known_as!("decoderawtransaction", RawTransactions, Open);
    const LARGE: bool = true;
    type Reply = Transaction;

    async fn call(self, context: Context) -> Result<Transaction, Error> {
        let _ = self.iswitness;
        let transaction =
            transaction(&self.hexstring).map_err(|_| Error::new(Code::Deserialization, "TX decode failed"))?;
        Ok(Transaction::of(&transaction, &context.backend.spec().addresses))
    }
}

/// Describes a script.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DecodeScript {
    /// Its bytes in hexadecimal digits.
    hexstring: String,
}

/// A script, and those that stand for it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Described {
    /// The script.
    #[serde(flatten)]
    script: Output,
    /// Address of its hash (BIP-0016).
    #[serde(skip_serializing_if = "Option::is_none")]
    p2sh: Option<String>,
    /// The same as a witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    segwit: Option<Segwit>,
}

/// A script as a witness program (BIP-0141).
#[derive(Debug, Serialize, JsonSchema)]
struct Segwit {
    /// The program's script.
    #[serde(flatten)]
    script: Output,
    /// Address of the program's hash (BIP-0016).
    #[serde(rename = "p2sh-segwit", skip_serializing_if = "Option::is_none")]
    p2sh: Option<String>,
}

impl Method for DecodeScript {
    known_as!("decodescript", RawTransactions, Open);
    type Reply = Described;

    async fn call(self, context: Context) -> Result<Described, Error> {
        let script = ScriptBuf::from(bytes(&self.hexstring, "argument")?);
        let addresses = &context.backend.spec().addresses;
        let kind = Kind::of(&script);
        let wraps = can_wrap(&script, kind);
        let segwit = if wraps { program(&script, kind) } else { None };
        Ok(Described {
            p2sh: if wraps { address::encode(&script.to_p2sh(), addresses) } else { None },
            segwit: segwit.map(|program| Segwit {
                p2sh: address::encode(&program.to_p2sh(), addresses),
                script: described(&program, &script, addresses),
            }),
            script: Output { hex: None, ..Output::of(&script, addresses) },
        })
    }
}

/// A program, and a descriptor that tells the script in it where one can be told.
fn described(program: &Script, script: &Script, addresses: &Addresses) -> Output {
    let output = Output::of(program, addresses);
    let multisig = matches!(Kind::of(script), Kind::Multisig { .. });
    if !(multisig && program.is_p2wsh()) {
        return output;
    }
    let inner = inferred(script, addresses);
    let inner = inner.split('#').next().unwrap_or_default();
    Output { desc: super::super::describe::with_checksum(&format!("wsh({inner})")), ..output }
}

/// Whether a script may be hashed into another: it is not one of those that stand for something else, and it can be
/// satisfied.
fn can_wrap(script: &Script, kind: Kind) -> bool {
    let wrappable = match kind {
        Kind::Multisig { .. } | Kind::NonStandard | Kind::P2pk | Kind::P2pkh | Kind::P2wpkh | Kind::P2wsh => true,
        Kind::NullData | Kind::P2sh | Kind::WitnessUnknown { .. } | Kind::P2tr | Kind::Anchor => false,
    };
    wrappable
        && !is_unspendable(script)
        && script.instructions().all(|instruction| match instruction {
            Ok(Instruction::PushBytes(data)) => data.len() <= 520,
            // Up to OP_NOP10: what comes after, OP_CHECKSIGADD included, is not of these scripts. OP_SUCCESS of tapscript
            // (BIP-0342) are these.
            Ok(Instruction::Op(opcode)) => {
                !matches!(opcode.to_u8(), 80 | 98 | 126..=129 | 131..=134 | 137..=138 | 141..=142 | 149..=153 | 186..)
            }
            Err(_) => false,
        })
}

/// The witness program of a script, if it may have one.
fn program(script: &Script, kind: Kind) -> Option<ScriptBuf> {
    let pushes = script.instructions().filter_map(|instruction| match instruction {
        Ok(Instruction::PushBytes(data)) => Some(data.as_bytes()),
        Ok(Instruction::Op(_)) | Err(_) => None,
    });
    // Keys in witness scripts must be compressed (BIP-0143).
    let mut keys = pushes.clone().filter_map(|data| PublicKey::from_slice(data).ok());
    match kind {
        Kind::P2pk => keys.next()?.wpubkey_hash().ok().map(|hash| ScriptBuf::new_p2wpkh(&hash)),
        Kind::P2pkh => {
            let hash: [u8; 20] = script.as_bytes().get(3..23)?.try_into().ok()?;
            Some(ScriptBuf::new_p2wpkh(&bitcoin::hashes::Hash::from_byte_array(hash)))
        }
        Kind::Multisig { .. } if pushes.clone().any(|data| data.len() > 33) => None,
        Kind::Multisig { .. } | Kind::NonStandard => Some(script.to_p2wsh()),
        Kind::P2sh
        | Kind::NullData
        | Kind::P2wpkh
        | Kind::P2wsh
        | Kind::P2tr
        | Kind::Anchor
        | Kind::WitnessUnknown { .. } => None,
    }
}

/// A transaction that may spend nothing yet, as Core's `DecodeHexTx`: with a witness where that can be read, and otherwise
/// without; `witness` says which of the two it is.
pub(in super::super) fn unfunded(text: &str, witness: Option<bool>) -> Result<bitcoin::Transaction, Error> {
    let refused = || Error::new(Code::Deserialization, "TX decode failed");
    let bytes = bytes(text, "hexstring").map_err(|_| refused())?;
    let whole = consensus::deserialize::<bitcoin::Transaction>(&bytes).ok();
    let has_marker = bytes.get(4).is_some_and(|count| *count == 0);
    // Without inputs, their count is what the marker of BIP-0144 is.
    let found = match witness {
        Some(true) => whole,
        Some(false) if has_marker => without_inputs(&bytes),
        Some(false) => whole,
        None => whole.or_else(|| without_inputs(&bytes)),
    };
    found.ok_or_else(refused)
}

/// The transaction without inputs that these bytes are.
fn without_inputs(bytes: &[u8]) -> Option<bitcoin::Transaction> {
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    let (rest, lock_time) = rest.split_last_chunk::<4>()?;
    let outputs = rest.strip_prefix(&[0])?;
    Some(bitcoin::Transaction {
        version: bitcoin::transaction::Version(i32::from_le_bytes(*version)),
        lock_time: bitcoin::absolute::LockTime::from_consensus(u32::from_le_bytes(*lock_time)),
        input: Vec::new(),
        output: consensus::deserialize(outputs).ok()?,
    })
}

/// The bytes of a transaction in hexadecimal digits, also of one without inputs, which has no witness.
pub(super) fn hex(transaction: &bitcoin::Transaction) -> String {
    use bitcoin::consensus::encode::{serialize, serialize_hex};
    if !transaction.input.is_empty() {
        return serialize_hex(transaction);
    }
    let mut bytes = serialize(&transaction.version);
    bytes.push(0);
    bytes.extend(serialize(&transaction.output));
    bytes.extend(serialize(&transaction.lock_time));
    bytes.to_lower_hex_string()
}
