//! Addresses of scripts.

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::script::Builder;
use bitcoin::{PublicKey, Script, ScriptBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::address;

use super::super::describe::with_checksum;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Keys of a script for several signatures (Core's `MAX_PUBKEYS_PER_MULTISIG`).
const MOST_KEYS: usize = 20;

/// Bytes of a script that P2SH takes.
const MOST_P2SH_BYTES: usize = 520;

/// Tells whether text is an address of this chain.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ValidateAddress {
    /// The text.
    address: String,
}

/// What an address says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Validated {
    /// Whether it is one.
    isvalid: bool,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Its script.
    #[serde(rename = "scriptPubKey", skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    /// Whether it stands for a script's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    isscript: Option<bool>,
    /// Whether it is a witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    iswitness: Option<bool>,
    /// Version of the witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_version: Option<u8>,
    /// The witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_program: Option<String>,
    /// Places of characters that are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_locations: Option<Vec<usize>>,
    /// Why it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Method for ValidateAddress {
    known_as!("validateaddress", Util, Open);
    type Reply = Validated;

    async fn call(self, context: Context) -> Result<Validated, Error> {
        let addresses = &context.backend.spec().addresses;
        Ok(match address::parse(&self.address, addresses) {
            Ok(script) => valid(&script, address::encode(&script, addresses)),
            Err(error) => invalid(&error),
        })
    }
}

fn valid(script: &Script, address: Option<String>) -> Validated {
    let version = script.witness_version().map(bitcoin::WitnessVersion::to_num);
    let program = script.as_bytes().get(2..).filter(|_| version.is_some());
    let is_script = match version {
        None => Some(script.is_p2sh()),
        // Of version 0, the longer one is a script's hash; of version 1, Core counts a key as a script, as it may hide
        // some; of later ones, nobody knows.
        Some(0) => Some(script.is_p2wsh()),
        Some(_) => script.is_p2tr().then_some(true),
    };
    Validated {
        isvalid: true,
        address,
        script: Some(script.as_bytes().to_lower_hex_string()),
        isscript: is_script,
        iswitness: Some(version.is_some()),
        witness_version: version,
        witness_program: program.map(|program| program.to_lower_hex_string()),
        error_locations: None,
        error: None,
    }
}

fn invalid(error: &address::Error) -> Validated {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and only one variant knows a place")]
    let places = match error {
        address::Error::Character { at, .. } => vec![*at],
        _ => Vec::new(),
    };
    Validated {
        isvalid: false,
        address: None,
        script: None,
        isscript: None,
        iswitness: None,
        witness_version: None,
        witness_program: None,
        error_locations: Some(places),
        error: Some(error.to_string()),
    }
}

/// Makes the address of a script that some of several keys must sign for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateMultisig {
    /// Signatures that are needed.
    nrequired: i64,
    /// Public keys in hexadecimal digits.
    keys: Vec<String>,
    /// `legacy` (as if left out), `p2sh-segwit` or `bech32`.
    address_type: Option<String>,
}

/// An address for several keys.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Multisig {
    /// The address.
    address: String,
    /// The script.
    #[serde(rename = "redeemScript")]
    redeem_script: String,
    /// A descriptor of it.
    descriptor: String,
    /// What the user should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Method for CreateMultisig {
    known_as!("createmultisig", Util, Open);
    type Reply = Multisig;

    async fn call(self, context: Context) -> Result<Multisig, Error> {
        let keys = self.keys.iter().map(|text| key(text)).collect::<Result<Vec<_>, _>>()?;
        let required = required(self.nrequired, keys.len())?;
        let script = script(required, &keys);
        let wanted = self.address_type.as_deref().unwrap_or("legacy");
        let compressed = keys.iter().all(|key| key.compressed);
        if wanted == "bech32m" {
            let text = "createmultisig cannot create bech32m multisig addresses";
            return Err(Error::new(Code::NotFound, text));
        }
        if !matches!(wanted, "legacy" | "p2sh-segwit" | "bech32") {
            return Err(Error::new(Code::NotFound, format!("Unknown address type '{wanted}'")));
        }
        // A witness script has compressed keys only.
        let legacy = wanted == "legacy" || !compressed;
        if legacy && script.len() > MOST_P2SH_BYTES {
            let text = format!("redeemScript exceeds size limit: {} > {MOST_P2SH_BYTES}", script.len());
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let listed: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let multi = format!("multi({required},{})", listed.join(","));
        let (output, descriptor) = match wanted {
            _ if legacy => (script.to_p2sh(), format!("sh({multi})")),
            "bech32" => (script.to_p2wsh(), format!("wsh({multi})")),
            _ => (script.to_p2wsh().to_p2sh(), format!("sh(wsh({multi}))")),
        };
        let address = address::encode(&output, &context.backend.spec().addresses);
        let warning = "Unable to make chosen address type, please ensure no uncompressed public keys are present.";
        Ok(Multisig {
            address: address.ok_or_else(|| Error::new(Code::Internal, "the script has no address"))?,
            redeem_script: script.as_bytes().to_lower_hex_string(),
            descriptor: with_checksum(&descriptor),
            warnings: if legacy && wanted != "legacy" { vec![warning.to_owned()] } else { Vec::new() },
        })
    }
}

/// Core's `HexToPubKey`.
fn key(text: &str) -> Result<PublicKey, Error> {
    let wrong = |why: String| Error::new(Code::NotFound, why);
    let bytes = Vec::from_hex(text).map_err(|_| wrong(format!("Pubkey \"{text}\" must be a hex string")))?;
    if !matches!(bytes.len(), 33 | 65) {
        return Err(wrong(format!("Pubkey \"{text}\" must have a length of either 33 or 65 bytes")));
    }
    PublicKey::from_slice(&bytes).map_err(|_| wrong(format!("Pubkey \"{text}\" must be cryptographically valid.")))
}

fn required(required: i64, keys: usize) -> Result<u8, Error> {
    let wrong = |why: &str| Error::new(Code::InvalidParameter, why);
    if required < 1 {
        return Err(wrong("a multisignature address must require at least one key to redeem"));
    }
    if keys > MOST_KEYS {
        let text =
            format!("Number of keys involved in the multisignature address creation > {MOST_KEYS}\nReduce the number");
        return Err(wrong(&text));
    }
    let few = || {
        let text = format!("not enough keys supplied (got {keys} keys, but need at least {required} to redeem)");
        wrong(&text)
    };
    u8::try_from(required).ok().filter(|required| usize::from(*required) <= keys).ok_or_else(few)
}

/// The script that some of the keys must sign for.
fn script(required: u8, keys: &[PublicKey]) -> ScriptBuf {
    let builder = Builder::new().push_int(required.into());
    let builder = keys.iter().fold(builder, |builder, key| builder.push_key(key));
    let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    builder.push_int(count).push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG).into_script()
}
